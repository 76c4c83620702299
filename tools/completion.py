"""tf-inverse completion: the shell completes commands, flags and files."""

from __future__ import annotations

SCRIPT = """\
# Completion of tf-inverse for bash: source <(tf-inverse completion bash)
_tf_inverse() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} flags=
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "{commands}" -- "$word"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{cases}
  esac
  # Anything that is no flag is a file's name, which `complete -o default` sees to.
  if [ "${{word:0:1}}" = - ]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
    case ${{COMPREPLY[0]}} in *=) compopt -o nospace 2>/dev/null ;; esac
  fi
}}
complete -o default -F _tf_inverse tf-inverse
"""


def completion(shell: str = "bash") -> None:
    """Prints a script by which the shell completes commands, flags and files.

    In ~/.bashrc: source <(tf-inverse completion bash). Zsh takes it after `autoload -U bashcompinit
    && bashcompinit`.

    Examples:
        tf-inverse completion
        tf-inverse completion bash

    Args:
        shell: bash, the only one.
    """
    from tf_inverse.tools import cli, flags

    from tf_inverse.errors import UsageError

    if shell != "bash":
        raise UsageError(f"expected bash, got {shell!r}; zsh takes bash's, see --help")
    cases = [
        f'    {name}) flags="{" ".join(flags.spelled(cli.function(name)))}" ;;'
        for name in cli.COMMANDS
    ]
    print(SCRIPT.format(commands=" ".join(cli.COMMANDS), cases="\n".join(cases)), end="")

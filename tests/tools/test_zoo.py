"""Small networks of many kinds, each brought in from a file and used as a user would."""

import functools
import json
import subprocess

import pytest
import try_models
import zoo
import zoo_forms
import zoo_guides
import zoo_try

SIDE = 16
# bfloat16 has 8 bits; errors are over the largest value.
BITS = 2.0**-8
# How each is made smaller than in the zoo, where it has to be.
KINDS = {
    "transfer learning": functools.partial(zoo_guides.transfer, base=zoo_guides.separable),
    "Normalization adapted": zoo_guides.normalised,
    "ViT with positions added": functools.partial(zoo_guides.vit, blocks=1),
    "ConvMixer": functools.partial(zoo_guides.conv_mixer, blocks=1),
    "MLP-Mixer": functools.partial(zoo_guides.mlp_mixer, blocks=1),
    "U-Net": zoo_guides.unet,
    "siamese trunk": zoo_guides.siamese,
    "two images compared": None,
    "three deep: a unit inside": zoo_forms.three_deep,
    "several inputs and outputs": zoo_forms.several,
    "channels first": zoo_forms.channels_first,
    "mixed_bfloat16": None,
    "quantised int8": None,
    "subclassed as SavedModel": zoo_forms.subclassed,
}
EXPORTED = ("several inputs and outputs",)
DONE = {
    "adopt": {"encoder": "model/fc", "target": "model/logits:1@0:1", "seconds": 1.0},
    "float32": {"found": 10, "steps": 8, "precision": "float32", "difference": 0.0},
    "default": {"found": 10, "steps": 6, "precision": "bfloat16", "difference": 2e-6},
    "half": {"e": 0.01, "z": 0.02},
    "export": {"found": 10, "apart": {"images": 0.0, "codes": 3e-6}},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_from_a_file_to_true_samples(name, tmp_path, loaded_once):
    """10 of 10 in half precision, and what is stored is what the original model gives."""
    entry, smaller = zoo.ZOO[name], KINDS[name]
    if smaller is not None:
        entry = entry._replace(classifier=functools.partial(smaller, SIDE))
    trial = zoo_try.Trial(entry, tmp_path)
    trial.adopt()
    run = trial.sample("bfloat16")
    assert run["found"] == try_models.ASKED and run["difference"] <= try_models.TOLERANCE
    assert run["precision"].startswith(("bfloat16", "float32: "))
    assert max(trial.half().values()) < 20 * BITS
    if name in EXPORTED:
        trial.sample("float32")
        answer = trial.export()
        assert len(answer["apart"]) == len(zoo_try.COMPARED)
        assert try_models.trouble(DONE | {"export": answer}) == ""


@pytest.mark.parametrize(
    ("stage", "figures", "said"),
    [
        ("adopt", {"trouble": "adopt exits 2: no"}, "adopt: adopt exits 2: no"),
        ("default", {"found": 9}, "default: 9 of 10"),
        ("float32", {"difference": 2e-3}, "float32: stored differ by 2.0e-03"),
        ("float32", {"difference": float("nan")}, "float32: stored differ by nan"),
        ("export", {"found": 3}, "export: 3 of 10"),
        ("export", {"apart": {"images": 2.0, "codes": 1e-2}}, "export: other images, codes"),
        ("half", {}, ""),
    ],
)
def test_a_failure_is_told_in_its_row(stage, figures, said):
    done = DONE | {stage: DONE[stage] | figures}
    assert try_models.trouble(done) == said
    cells = [cell.strip() for cell in try_models.row("mine", done).strip("|").split("|")]
    assert len(cells) == len(try_models.HEAD) and cells[0] == "mine" and cells[-1] == said
    assert cells[1:3] == ["fc", "logits:1@0:1"]


def test_results_are_kept_and_what_is_missing_is_done(tmp_path, monkeypatch, capsys):
    started = []

    def run(command, **options):
        assert command[1].is_file()
        started.append(command[-1])
        return subprocess.CompletedProcess(command, -9)

    monkeypatch.setattr(try_models.subprocess, "run", run)
    for name, stages in (("ConvMixer", try_models.STAGES), ("U-Net", try_models.STAGES[:3])):
        where = try_models.place(tmp_path, name)
        where.mkdir()
        known = {stage: DONE[stage] for stage in stages}
        (where / "result.json").write_text(json.dumps(known))
    arguments = ["try_models.py", f"--results={tmp_path}", "--only=ConvMixer,U-Net"]
    monkeypatch.setattr(try_models.sys, "argv", arguments)
    assert try_models.main() == 1 and started == ["half,export"]
    told = capsys.readouterr().out
    assert "| ConvMixer | fc |" in told and "half: the process ended with -9 |" in told
    assert "2 networks: 12 steps, 16 in float32, 0.75 times" in told
    monkeypatch.setattr(try_models.sys, "argv", [*arguments[:2], "--only=ConvMixer"])
    assert try_models.main() == 0 and len(started) == 1
    with pytest.raises(SystemExit, match="got 'Conv'"):
        try_models.names("Conv")

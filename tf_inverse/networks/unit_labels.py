"""Names of a layer's units, as a network carries them and as its folder stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tf_inverse.errors import UsageError

if TYPE_CHECKING:
    from tf_inverse.networks.networks import Networks


class Labels(NamedTuple):
    """The names of one layer's units.

    Attributes:
        layer: Name or path of the layer.
        names: A name for each unit, in order.
    """

    layer: str
    names: tuple[str, ...]

    @classmethod
    def made(cls, value: tuple[str, Sequence[str]]) -> Labels:
        """Labels from a pair of a layer and its units' names.

        Raises:
            UsageError: The value is no such pair.
        """
        pair = tuple(value) if isinstance(value, tuple | list) else ()
        if len(pair) != 2 or not isinstance(pair[0], str) or not _are_names(pair[1]):
            raise UsageError(
                f"expected labels (layer, names of its units), as ('fc8', ['cat', 'dog']), got "
                f"{value!r:.80}"
            )
        return cls(pair[0], tuple(map(str, pair[1])))

    @classmethod
    def read(cls, entry: Mapping[str, Any] | None) -> Labels | None:
        """Labels from the entry `labels` of a checked `network.json`; None where it has none."""
        return cls(entry["layer"], tuple(entry["names"])) if entry else None

    def entry(self) -> dict[str, Any]:
        """The labels as `network.json` stores them."""
        return {"layer": self.layer, "names": list(self.names)}

    def of(self, layer: str) -> tuple[str, ...] | None:
        """The names of a layer's units; None where other units are labelled."""
        return self.names if layer == self.layer else None


def fitting(labels: Labels, networks: Networks) -> Labels:
    """The labels with the full path of their layer.

    Raises:
        UsageError: The network has no such layer, or more or fewer units in it than names.
    """
    try:
        path = networks.layer_path(labels.layer)
        count = networks.layer_shape(path)[-1]
    except UsageError as error:
        raise UsageError(f"the labels of {networks.name} are of no layer: {error}") from error
    if len(labels.names) != count:
        raise UsageError(
            f"expected {count} labels for the units of {path}, got {len(labels.names)}"
        )
    return labels._replace(layer=path)


def _are_names(value: object) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    return all(isinstance(name, str) for name in value)


class LabelsField:
    """The field `labels` of a network: whatever pair is assigned to it is read back as `Labels`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, instance: object, owner: type | None = None) -> Labels | None:
        return None if instance is None else instance.__dict__[self._name]

    def __set__(self, instance: object, value: tuple[str, Sequence[str]] | None) -> None:
        instance.__dict__[self._name] = None if value is None else Labels.made(value)

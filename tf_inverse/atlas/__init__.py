"""An atlas: a sample of every neuron of some layers, survived whatever happens, in one folder.

The modules in running order: `targets` (which neurons and ranges), `plan` (what was asked for, and
in which groups), `work` (one group from its neurons to their archives), `pool` (all groups, in this
process or on Ray's workers), `index` (what came of it), `command` (what is printed).
"""

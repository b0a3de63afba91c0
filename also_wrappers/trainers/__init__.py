"""Trainers: one room per library, and what any other trainer must do.

Stable-Baselines3 is in ``also_wrappers.trainers.sb3``, BenchMARL in
``also_wrappers.trainers.benchmarl``, RLlib in ``also_wrappers.trainers.rllib``.

``Adaptation(run, advisor).step(trainer)`` is the whole loop; call it wherever your
trainer is at rest: no update running, no rollout half collected.
``Adaptation.finish(trainer)`` ends the record.

A trainer is anything that satisfies ``also_wrappers.trainer.Trainer``. It can write a
snapshot to a file, adopt one, and hand out a ``Fork`` that trains branches elsewhere. A
trainer reads its own snapshots; one that unpickles them must trust the run directory.

``examples/cleanrl_style.py`` is one, a plain PyTorch loop in the manner of CleanRL.

``also_wrappers.testing.check_trainer(harness, task, signal)`` runs on yours what ours
are tested with (Stable-Baselines3's algorithms, and that loop): a training that was
paused and forked goes on bit-identically, the optimizer's state survives, the signal
reaches every environment of a branch, steps are counted, and a branch can be adopted
and undone.

Before training, one rollout of a branch is rehearsed and thrown away (its steps are
counted as ``evaluation``). What is found there, each with a sentence on what to change:
a factory that ignores ``shape``, always puts the run's own wrapper on or makes another
number of environments; base rewards that are not finite; a success expression that is
never false.
"""

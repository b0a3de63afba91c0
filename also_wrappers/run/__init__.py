"""Holds a run: its directory, and the files in the directory.

    run_dir/
      ledger.jsonl    every event, with the steps spent so far
      schedule.json   from where on the final policy has learned from which signal
      board/          the posted signal, acknowledgements, evidence
      checkpoints/    where a resumed run, or a rollback, starts: the trainer's
                      snapshot and a description in JSON
      rounds/0001/    what a round saw, asked, proposed, measured and decided
      tensorboard/  report.html

One process at a time records into a run directory (``run.lock`` says who does), and the
directory is the run's own: one that holds something else is refused. Readers are never
kept from it. A full disk ends a run with a sentence, and what was recorded before is
whole. What is damaged is told in a sentence; ``report`` and ``show`` show what can
still be read. ``python tests/attack.py --minutes 10`` attacks all that, and more, for
as long as you like.

## A run that was stopped

``Run(task, run_dir, resume="auto")`` begins a run where there is none, and goes on
where there is one: a round goes on with the answers, auditions and branches that it
had, the training from a checkpoint that is at most a twentieth of the plan old
(``checkpoint_every``). Steps that were being trained when a run died, and those of
branches that failed, are counted as an interval: ``unknown`` is how many there may have
been at most. Steps of auditions are counted one by one. Of evaluations in branches that
a kill cut off, nothing is known.

What a run directory may contain, and whether it must be trusted:
``also_wrappers.trainers.sb3``.
"""

from also_wrappers.run.checkpoints import Checkpoint, Checkpoints
from also_wrappers.run.run import Run

__all__ = ["Checkpoint", "Checkpoints", "Run"]

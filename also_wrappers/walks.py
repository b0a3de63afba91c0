"""Five walks through the package: what each module does with one thing, in order.

A module imports the one above it or is imported by it, unless a walk goes on *through*
something else, such as an environment's infos (``tests/test_walks.py``). The
environment is a parallel one of PettingZoo and the trainer is Stable-Baselines3's;
other wrappers and trainers take the same walks.

## The base reward

1. ``wrappers.parallel``: takes the base reward from the environment's step, and returns
   it with what the signal adds
2. ``wrappers.shaped_team``: hands both to the recorder
3. ``evidence.recorder``: writes both into a row for each step, and sums up the episode
4. ``board.slots``: leaves the episode's base return in the copy's slot of the board
5. ``board.board``: reads the episodes of all copies
6. ``loop.mainline``: weighs fifty episodes or more into one window of the record
7. ``evidence.stage``: names the learning stage by the windows

In a branch, which has a board of its own:

1. ``board.board``: reads the episodes of the branch
2. ``branches.branch``: scores the branch by the episodes of its last half
3. ``gate.rule``: shows the score to the rule, as a trial
4. ``gate.provisional``: decides by the trials of all arms

## An episode

1. ``wrappers.parallel``: steps the environment
2. ``wrappers.shaped_team``: reads the features of every agent
3. ``evidence.recorder``: keeps features, actions and rewards until the episode ends
4. ``board.slots``: leaves the episode in the copy's slot, the best and the latest whole
5. ``evidence.accumulate``: has each family in ``evidence.numbers`` add a block of
   episodes to the window's numbers
6. ``board.slots``: reads the window's numbers, once the loop asks
7. ``board.board``: merges the numbers of all copies
8. ``loop.rounds``: collects the numbers where a round begins
9. ``loop.mainline``: adds what only the trainer knows
10. ``evidence.summary``: computes the evidence, family by family
11. ``evidence.document``: holds the evidence, under stable keys
12. ``advisors.base``: shows the evidence to an advisor, as a part of the situation

## The signal

1. ``advisors.rules.advisor``: proposes a signal with its reasons
2. ``proposals.proposal``: holds both, as data
3. ``loop.consult``: records the proposal
4. ``checks.check``: tries the proposal on recorded episodes
5. ``loop.consult``: makes an arm of what has passed
6. ``loop.round``: asks the rule which branches to train
7. ``loop.arms``: orders the branches, each with a posting of the arm's signal
8. ``branches.branch``: trains one branch, and scores it
9. ``loop.arms``: records what the branch measured
10. ``loop.round``: has the rule decide
11. ``loop.rounds``: makes the branch that won the mainline
12. ``loop.lineage``: swaps the signal in
13. ``loop.state``: posts the signal
14. ``board.board``: writes the posting
15. ``wrappers.source``: takes the posting at an environment's next reset
16. ``wrappers.shaped_team``: has the signal compiled
17. ``signal.shaper``: computes what each step is paid

## A snapshot

At a pause:

1. ``trainers.sb3.callback``: pauses where a rollout starts
2. ``loop.adaptation``: steps the loop
3. ``loop.lineage``: saves a checkpoint
4. ``run.run``: knows where checkpoints are
5. ``run.checkpoints``: names the file, and writes the loop's state beside it
6. ``trainers.sb3.trainer``, through the function that ``run.checkpoints`` is given:
   writes the snapshot
7. ``trainers.sb3.snapshots``: collects policy, optimizer, buffers and counters

In a branch:

1. ``loop.round``: says which snapshot the branches begin from
2. ``loop.arms``: orders the branches
3. ``branches.executors``: sends the orders to worker processes
4. ``branches.branch``: gives the snapshot's file to the fork
5. ``trainer``: says what a fork does with the file
6. ``trainers.sb3.fork``: trains on from the snapshot, and writes another one at the end
7. ``trainers.sb3.snapshots``: loads the first snapshot and saves the second

Where the branch becomes the mainline:

1. ``loop.rounds``: names the snapshot of the branch that was decided on
2. ``loop.lineage``: adopts the snapshot, and counts the steps of the branch
3. ``trainer``: says what adopting is
4. ``trainers.sb3.trainer``: adopts the snapshot
5. ``trainers.sb3.snapshots``: loads the snapshot into the living model

## An expert

Before any branch:

1. ``advisors.rules.skeletons``: writes rules that go to a place and act there
2. ``proposals.proposal``: holds the expert, in a signal
3. ``loop.consult``: has the expert checked, and lets it wait for its audition
4. ``loop.audition``: plays the expert, and the policy on the same seeds
5. ``trainer``: says what an audition is
6. ``trainers.sb3.trainer``: plays with its own model
7. ``trainers.sb3.audition``: lets the expert act where it speaks, else the policy
8. ``loop.audition``, through the outcome: promises what the expert has earned
9. ``loop.consult``: makes an arm of an expert that earns clearly more

In the training, and in branches:

1. ``loop.lineage``: swaps the signal in, with what its expert has promised
2. ``loop.state``: posts the signal and the promise
3. ``board.board``: writes the posting
4. ``wrappers.source``: takes the posting, and compiles the expert
5. ``signal.advice``: finds the good actions in every state
6. ``wrappers.shaped_team``, through the function that it is given: puts the good
   actions into the infos
7. ``trainers.sb3.likelihood``, through the infos: pulls the policy towards the
   good actions
8. ``trainers.sb3.imitation``: chooses likelihood for policies and a margin for values
9. ``trainers.sb3.callback``: weighs the pull anew for each rollout
10. ``board.posting``: computes the weight, by how much less the policy earns than was
    promised
"""

"""The words of this package: one word for one thing.

Each word of the first column is in use, and no name of a module, class, function,
argument or variable has a word of the last column (``tests/test_glossary.py``).

| word | what it means | not to be called |
|---|---|---|
| base reward | what the environment pays; a policy is judged by nothing else | raw, extrinsic |
| base return | base reward of an episode, undiscounted, mean over agents | fitness |
| feature | a named number per agent and step, read from observation, action, info or state | sensor, observable |
| term | one expression over features, with a kind and a weight, which is paid | intrinsic |
| potential, progress, bonus | the kinds of terms: worth of a state, discounted or not, and pay for a step | |
| expert | ordered rules over features that say which actions are good; silent where no rule holds | teacher, guide, demonstrator |
| advice | the good actions in one state | label |
| audition | the episodes that an expert plays before any branch is trained | tryout |
| promised | base return that an expert has earned by itself | |
| pull | weight of imitation, which ends as the policy earns what was promised | |
| agreement | share of a policy's probability that is on good actions | accuracy |
| signal | a set of terms and at most one expert; the empty signal changes nothing, bit for bit | treatment |
| strength | factor of all that a signal adds | |
| fade | a strength's way to 0, at a training's end or a signal's own | decay, ramp |
| condition | a named expression that the user declares and that is recorded: how often it holds, how early | predicate, trigger |
| probe | an expression that an advisor wants to have recorded like a condition | |
| board | where the active signal is posted, and where every environment copy leaves its evidence | registry, blackboard, channel |
| posting | what a board says to every environment copy: signal, strength, discount factor | |
| copy | one of the environments that a training steps side by side | clone |
| vector | many environment copies that are stepped by one call | |
| batch | rows of many copies or transitions that one call computes | |
| episode | steps of an environment copy from a reset to its end | trajectory |
| evidence | a compact, mergeable summary of behaviour, as numbers with stable keys | metric, stats, telemetry |
| window | evidence or base returns between two looks at a run | period |
| stage | how far learning is, from ``no_signal`` to ``solved``, by base returns | |
| advisor | who diagnoses and proposes: rules, a language model, chance or a recording | coach, proposer |
| diagnosis | what an advisor finds wrong, with the numbers that show it | |
| proposal | a signal with its reasons, as an advisor returns it | suggestion |
| hypothesis | which number should move, and which way, if a proposal helps | |
| candidate | a proposal that a round considers | |
| check | a question to a candidate before any training | validation |
| rejection | a candidate that was not admitted to branches, and the reason | |
| remark | what a check has changed in a candidate, or noticed | |
| arm | what a round tests on branches: control or an admitted candidate | variant |
| control | arm 0, which keeps the signal as it is | placebo |
| round | one pass through the loop, from diagnosis to decision | iteration, generation |
| fork | what trains branches of a trainer, in any process | |
| branch | a training of one arm from a snapshot, on one seed | |
| trial | what one branch measured, as a deciding rule sees it | |
| phase | what a branch is trained for: to screen or to confirm | |
| horizon | trainer steps of a whole branch | |
| gate | the rule that decides a round, from trials alone | |
| decision | what a gate has decided, and which branch becomes the mainline | |
| standing | how sure a run is of its signal; how a candidate did against control | |
| provisional | in use because screening favours it; no error is declared | tentative |
| confirmed | shown to beat control with a declared error | promoted |
| exploratory | provisional, where no base reward speaks for the signal | |
| mainline | the training that the user asked for | trunk |
| lineage | the steps from which the policy of the mainline has learned | ancestry |
| adopt | to load a branch's end, or an older snapshot, into the mainline | |
| swap | to post another signal, which environments take at their next reset | |
| baseline | a run on the base reward alone, for comparison | |
| snapshot | a file with all that training depends on | savepoint, dump |
| checkpoint | a snapshot and the state of the loop, where a run can go on | |
| trainer step | what a trainer counts: one for each agent in some libraries | timestep |
| environment step | one step of one environment copy, whatever the number of agents | |
| budget | trainer steps that branches may spend | allowance |
| run | one training with its directory, from the first step to the last | |
| ledger | the append-only record of a run | logbook |
| event | one line of a ledger | |
| journal | the answers and plays of a round in progress, so that each happens once | diary |
| schedule | from which step on the final policy has learned from which signal | |
| randomness | what random numbers are drawn from, with its state | rng, generator |
| reason | why something was decided, rejected or refused, in a sentence for people | |
| record | to write down what happens | |

Three words have two senses. A rule is one of an expert (``signal``), or decides a round
(``gate``). A stage is one of learning (``evidence``), or what the loop does, by its
verb: record, diagnose, propose, check, branch, refine, decide, swap. A standing is a
signal's (``report``), or a candidate's (``gate``).
"""

"""Adapts trainer libraries, one room each, and teaches how to adapt any other trainer.

Stable-Baselines3 is in ``also_wrappers.trainers.sb3``, BenchMARL in
``also_wrappers.trainers.benchmarl``, Tianshou in ``also_wrappers.trainers.tianshou``,
RLlib in ``also_wrappers.trainers.rllib``.

## A trainer of your own

A trainer is anything that satisfies ``also_wrappers.trainer.Trainer``. Below is a whole
one, of a plain loop in PyTorch: some 100 lines, of which 50 were there before. Each step
can be copied to your own loop. ``examples/cleanrl_style.py`` is PPO with experts.

**1. One function makes each environment.** The mainline, branches and auditions have
the same environment with another wrapper around it, so the function takes the wrapper.

```python
import numpy as np
import torch
from also_wrappers.testing import Corridor

def make_shaped(shape):
    return shape(Corridor(length=5, limit=12))
```

**2. The loop says where it is at rest.** At rest, no rollout is half collected and no
update half done. ``rest`` is called there, before each rollout. A branch may be adopted
in it, and ``steps`` is then another: larger, or smaller where the branch began at the
untrained policy. Environments are reset once before the first ``rest``, since the run
does not know of them until then. A library whose training function cannot be
interrupted is called once for each rollout, as in ``examples/skrl_corridor.py``. What
``steps`` counts is the trainer's choice: steps of agents here; where it counts steps of
the environment, ``agents_per_env`` is 1.

```python
class Loop:
    "Policy gradients, one network for all agents of one environment."

    gamma = 0.97
    env_steps = 96  # of a rollout

    def __init__(self, make_env, shape, total, seed=0):
        torch.manual_seed(seed)
        self.make_env, self.total, self.steps = make_env, total, 0
        self.env = make_env(shape)
        self.agents = list(self.env.possible_agents)
        first = self.agents[0]
        size = self.env.observation_space(first).shape[0]
        self.policy = torch.nn.Linear(size, self.env.action_space(first).n)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=0.05)
        self.observations, _ = self.env.reset(seed=seed)  # before the first rest

    def train(self, until, rest=lambda: None):
        while self.steps < until:
            rest()
            if self.steps < until:
                self.learn(*self.collect())

    def collect(self):
        logs, rewards, ends = [], [], []
        for _ in range(self.env_steps):
            rows = np.array([self.observations[a] for a in self.agents], np.float32)
            logits = self.policy(torch.from_numpy(rows))
            choice = torch.distributions.Categorical(logits=logits)
            actions = choice.sample()
            logs.append(choice.log_prob(actions))
            chosen = dict(zip(self.agents, actions.tolist()))
            self.observations, paid, *_ = self.env.step(chosen)
            rewards.append([float(paid[a]) for a in self.agents])
            ends.append(not self.env.agents)
            if not self.env.agents:
                self.observations, _ = self.env.reset()
        self.steps += self.env_steps * len(self.agents)
        return torch.stack(logs), torch.tensor(rewards), ends

    def learn(self, logs, rewards, ends):
        returns, later = [], torch.zeros(len(self.agents))
        for reward, end in zip(rewards.flip(0), reversed(ends)):
            later = reward + self.gamma * later * (not end)
            returns.insert(0, later)
        gains = torch.stack(returns)
        self.optimizer.zero_grad()
        (-logs * (gains - gains.mean())).mean().backward()
        self.optimizer.step()
```

**3. A snapshot holds all that training depends on but the environments.** Parameters,
the optimizer, counters; and schedules, statistics of observations and a replay buffer
where there are any. What is forgotten here makes branches that are not the mainline's
future: the contract compares them bit for bit.

```python
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import replacing
from also_wrappers.trainer import ForkOutcome

class OwnTrainer(Loop):
    "The loop, as ``also_wrappers.trainer.Trainer`` wants it."

    bootstraps_truncation = False  # it treats time-outs as ends
    evaluates = False  # its training episodes are those of the policy
    replays = False  # it has no replay buffer
    imitates = False  # it has no loss for experts

    @property
    def agents_per_env(self):
        return len(self.agents)

    @property
    def rollout(self):
        return self.env_steps * len(self.agents)

    def snapshot(self, path):
        parts = (self.policy.state_dict(), self.optimizer.state_dict(), self.steps)
        with replacing(path) as beside:
            torch.save(parts, beside)

    def adopt(self, path):
        policy, optimizer, self.steps = torch.load(path, weights_only=True)
        self.policy.load_state_dict(policy)
        self.optimizer.load_state_dict(optimizer)

    def policy_drift(self):
        return None  # not measured

    def imitated(self):
        return None

    def audition(self, *_):
        raise ConfigurationError("experts are not imitated by this trainer")

    def fork(self):
        return OwnFork(self.make_env, self.total)
```

**4. A fork trains branches, in another process, from a snapshot alone.** It is sent
there by cloudpickle, so it holds what makes a training and no training.

```python
class OwnFork:
    preload = ("torch",)

    def __init__(self, make_env, total):
        self.make_env, self.total = make_env, total

    def warm(self):
        self.make_env(lambda env: env).close()

    def __call__(self, start, shape, seed, steps, *, new_signal=False, end=None):
        branch = OwnTrainer(self.make_env, shape, self.total, seed)
        branch.adopt(start)
        first = branch.steps
        branch.train(first + steps)
        if end is not None:
            branch.snapshot(end)
        trained = branch.steps - first
        # With several copies of the environment, divide by their number as well.
        return ForkOutcome(trained, trained // branch.agents_per_env)
```

**5. The contract says what is wrong.** Its sentences name what differs: the optimizer
that was left out, a seed that reaches the sampling alone, environments without the
shape.

```python
import also_wrappers as also
from also_wrappers.signal import Signal, Term
from also_wrappers.testing import check_trainer, corridor_features

class Harness:
    def make(self, shape):
        return OwnTrainer(make_shaped, shape, total=4096)

    def train(self, trainer, steps):
        trainer.train(trainer.steps + steps)

    def state(self, trainer):
        moments = trainer.optimizer.state_dict()["state"]
        tensors = {
            **trainer.policy.state_dict(),
            **{f"{k}.{name}": moments[k][name] for k in moments for name in moments[k]},
        }
        return {name: tensor.numpy() for name, tensor in tensors.items()}

task = also.Task("Walk to the end.", corridor_features())
on = Term(name="on", kind="progress", expression="place", weight=1.0)
check_trainer(Harness(), task, Signal(terms=(on,)))
```

**6. The whole loop is one call at rest.**

```python
run = also.Run(task, "runs/own")
adaptation = also.Adaptation(run, budget=0)  # budget=0 records only
training = OwnTrainer(make_shaped, run.shape, total=1920)
training.train(1920, rest=lambda: adaptation.step(training))
adaptation.finish(training)
```

Experts need two things more, ``audition`` and a loss with the weight that
``run.board.read().pull(...)`` says: ``examples/cleanrl_style.py`` has both, in 50 lines.

## What the contract takes for granted

- **A rollout is at least so long**: a trainer that samples *at least* so many steps
  says the least, and counts what it has sampled.
- **A branch has its own seeds**, for environments and sampling. The loop seeds torch,
  numpy and Python before a branch and restores them after it; the contract does not, so
  seed what you sample with. What a library seeds environments with may be a global of
  its own: ``skrl.config.torch.key`` is one.
- **A replay buffer pays what is posted now**, for what was stored earlier as well.
- **An older snapshot can be adopted**: a rollback is one. Workers that keep newer
  weights of their own have to be told.
- A snapshot is read by the trainer that wrote it; one that unpickles must trust the run
  directory.

## Before training

One rollout of a branch is rehearsed and thrown away (its steps are counted as
``evaluation``). What is found there, each with a sentence on what to change: a factory
that ignores ``shape``, always puts the run's own wrapper on or makes another number of
environments; base rewards that are not finite; a success expression that is never
false.
"""

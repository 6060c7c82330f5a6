"""The parts of RLACallback for Keras 3 and Keras 2. No file here imports Keras: keras.py and tf_keras.py do.

callback.py     Keras' hooks; makes the parts and calls them
run_binding.py  which run a callback belongs to
fits.py         which model and which fit a hook is about
state.py        what all callbacks of a run share: time step, counts, warnings
batches.py      rows of batches
checkpoints.py  when to save what; saving.py: how a model becomes a file
resume.py       going on from a checkpoint; sources.py: from which; restoring.py: putting a file back into a model
best.py         the best checkpoint over several processes; curve.py: the figure of the learning curve
describe.py     hyper-parameters; model.py: learning rates, iterations, weights of a model
"""

"""The whole state of a training: what it is captured into, its files, and how the objects get it back.

    tree.py           a plain tree (dicts, lists, numbers, text, arrays) as JSON with references to arrays, and back
    leaf.py, leaves.py    the arrays of a tree: their types, their bytes, where their memory is
    torch_leaves.py, jax_leaves.py     those of the frameworks, imported where the program has imported the framework
    dtypes.py         names of types; which of them safetensors has
    sharing.py        the table of arrays that are one, or views of one memory
    mapped.py         arrays on the disk need not stay in memory
    advice.py         several problems in one message
    checksums.py      of files and folders, made while they are written
    whole.py, restoring.py     all objects of a training at once, and the random state
    objects/          what objects are captured into, and how they get it back: random streams, environments, buffers
    stored.py         a large array in the files, before it is read
    syncing.py        lets the disk begin with files while the next ones are made, and syncs all of them at the end
    safetensors_file.py, writing.py, reading.py     the folder state-<step>/; parts that have not changed are hard links

Nothing here knows a run: see core/states.py. Nothing is pickled, and nothing of a file is run.
"""

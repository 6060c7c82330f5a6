"""What ``rla_hooks.integrations.wandb`` is made of: the words of wandb, on a run of rla_hooks.

    starting      init: which run it is, from the arguments and the WANDB_ variables
    open_runs     the present run, and what a further init does
    run, facts    ``wandb.run``: log, finish; its name, folder and the like
    logged        what a call of log holds: the values of a row, and media
    config        ``wandb.config``
    summary       ``wandb.summary``
    metrics       define_metric
    data_types    Image, Video, Table and the others; pictures, media, table and charts have them
    watching      watch: gradients and parameters of a torch module
    files         save and restore
    mirror        sync_tensorboard
    missing       what rla_hooks has no place for: Artifact, Api, sweep, alert

Nothing of wandb is used.
"""

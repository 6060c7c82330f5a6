"""Parts of rla_hooks.integrations.tensorboard."""

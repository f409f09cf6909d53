"""Generated from `protos/pluginhost/v1/` by `make protos`; nothing here is written by hand."""

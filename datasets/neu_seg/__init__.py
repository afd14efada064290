"""NEU-Seg: hot-rolled steel strip with inclusions, patches and scratches."""

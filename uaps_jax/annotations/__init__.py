"""Annotations of labelme and COCO as a folder of images, masks and `classes.yaml`."""

from imgaug import absent as __getattr__  # noqa: F401

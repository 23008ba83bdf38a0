"""One runtime a module or folder, each behind `engines.base.Engine`."""

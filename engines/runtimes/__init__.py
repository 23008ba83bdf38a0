"""The runtimes, a module or folder each, behind `engines.base.Engine`; `engines.registry` names them by path."""

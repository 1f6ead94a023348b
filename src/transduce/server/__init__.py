"""``transduce serve``: models answered over HTTP, in the forms that existing clients wait for."""

__all__: list[str] = []

"""Dictionaries of dictionary-encoded columns: in the order of the rows, so that equal rows make equal tables."""

import pyarrow as pa


def in_order_of_appearance(table: pa.Table) -> pa.Table:
    """Leave out of each dictionary what does not occur, and put the rest in the order of its first rows.

    Parameters
    ----------
    table : pyarrow.Table
        Each column in one chunk.

    Returns
    -------
    pyarrow.Table
        The same values.
    """
    return pa.table([_ordered(column.chunk(0)) for column in table.columns], schema=table.schema)


def _ordered(values: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(values.type):
        return values
    places = values.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(places.indices, values.dictionary.take(places.dictionary))

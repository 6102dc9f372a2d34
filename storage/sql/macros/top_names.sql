-- top_names(name, number): an aggregate: the `number` most frequent names, the most frequent first, equals in alphabetical order.
(name, number) AS list_transform(
    list_slice(
        list_sort(list_transform(map_entries(histogram(name)), lambda entry: {'less': -(entry.value::BIGINT), 'name': entry.key})), 1, number
    ),
    lambda entry: entry.name
)

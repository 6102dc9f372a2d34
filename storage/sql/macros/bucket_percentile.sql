-- bucket_percentile(bounds, counts, most, fraction): the value below which `fraction` of a histogram lies, interpolated within its bucket;
-- never more than `most`, the largest value that was counted. NULL without counts.
(bounds, counts, most, fraction) AS list_transform(
    [list_position(
        list_transform(
            generate_series(1, len(counts)),
            lambda number: list_sum(counts[1:number]) >= greatest(fraction * list_sum(counts), 1e-9)
        ), true
    )],
    lambda place: least(
        most,
        coalesce(bounds[place - 1], 0) + (coalesce(bounds[place], most, bounds[place - 1]) - coalesce(bounds[place - 1], 0))
            * (fraction * list_sum(counts) - coalesce(list_sum(counts[1:place - 1]), 0)) / nullif(counts[place], 0)
    )
)[1]

-- added_buckets(counts): an aggregate: bucket counts of histograms with the same bounds as those of one histogram, bucket by bucket.
(counts) AS list_reduce(list(counts), lambda one, other: list_transform(list_zip(one, other), lambda pair: pair[1] + pair[2]))

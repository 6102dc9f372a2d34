-- bounded_name(name, kept): the name where it is in the list `kept`, `(other)` where it is not; NULL stays.
(name, kept) AS CASE WHEN name IS NULL OR list_contains(kept, name) THEN name ELSE '(other)' END

-- normalised_name(name): a name with `*` for the ids inside it, to group by: `agent.execution.9c1b7e52a04f` → `agent.execution.*`.
-- An id is a UUID; a run of eight or more hexadecimal digits; letters and digits in turn, several times over; after a dot, slash, colon,
-- hash or space a number; after a hyphen or underscore a number of five or more digits. Dates that begin with 20 (gpt-4o-2024-07-18,
-- claude-sonnet-4-20250514), versions (gpt-4.1, v2) and words with a digit (s3, gpt-4o) stay. Most rules are applied twice: a match takes
-- the characters at both ends of an id with it, and the next id may need one of them.
(name) AS
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        name,
        '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '*', 'g'),
        '(^|[^0-9A-Za-z])(?:[0-9a-fA-F]{9,}|[013-9a-fA-F][0-9a-fA-F]{7}|2[1-9a-fA-F][0-9a-fA-F]{6}|20[0-9]{0,5}[a-fA-F][0-9a-fA-F]{5,})($|[^0-9A-Za-z])', '\1*\2', 'g'),
        '(^|[^0-9A-Za-z])(?:[0-9a-fA-F]{9,}|[013-9a-fA-F][0-9a-fA-F]{7}|2[1-9a-fA-F][0-9a-fA-F]{6}|20[0-9]{0,5}[a-fA-F][0-9a-fA-F]{5,})($|[^0-9A-Za-z])', '\1*\2', 'g'),
        '(^|[^0-9A-Za-z])(?:(?:[A-Za-z]+[0-9]+){3,}|[0-9]+(?:[A-Za-z]+[0-9]+){2,})[A-Za-z]*($|[^0-9A-Za-z])', '\1*\2', 'g'),
        '(^|[^0-9A-Za-z])(?:(?:[A-Za-z]+[0-9]+){3,}|[0-9]+(?:[A-Za-z]+[0-9]+){2,})[A-Za-z]*($|[^0-9A-Za-z])', '\1*\2', 'g'),
        '((?:^|[^0-9])[./:# =\[(]|^)[0-9]+($|[./:# \])])', '\1*\2', 'g'),
        '((?:^|[^0-9])[./:# =\[(]|^)[0-9]+($|[./:# \])])', '\1*\2', 'g'),
        '([-_])(?:[0-9]{5,7}|[0-9]{9,}|[013-9][0-9]{7}|2[1-9][0-9]{6})($|[^0-9A-Za-z])', '\1*\2', 'g'),
        '([-_])(?:[0-9]{5,7}|[0-9]{9,}|[013-9][0-9]{7}|2[1-9][0-9]{6})($|[^0-9A-Za-z])', '\1*\2', 'g')

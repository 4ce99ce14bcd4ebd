"""Write what describes a district, which no caller has to know, to a table of its own: districts.db."""

import sqlite3
from contextlib import closing

from homes import make_districts

with closing(sqlite3.connect("districts.db")) as connection:
    print("districts:", make_districts().to_sql("districts", connection, if_exists="replace"))

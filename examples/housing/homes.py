"""Homes that do not exist: their districts, their prices, and the adverts for them.

The tables are generated, not collected, with the seed 0. A home has thirteen numbers, of which the last six are those
of its district, so that homes of one district share them:

    area_m2            living area, log-normal, median 85
    rooms              1 to 8, about one for each 24 m²
    bathrooms          1 to 3
    floor              0 to 6
    garden_m2          0, but for every other home on floor 0
    age_years          0 to 130
    energy_kwh_m2      used a year for each m²; about 60, and 1 more for each year of age, at most 80 of them
    center_km          from the district to the center, 0.5 to 15
    station_km         to the nearest station, 0.1 to 4
    green_percent      of its area, 5 to 60
    noise_db           by day, 40 to 70
    income_keur        a year for each household, in thousands of euros, 25 to 80
    shops              within ten minutes on foot, fewer with the distance from the center

    price_eur          area_m2 (1500 + 30 income_keur + 3000 exp(-center_km / 4)) × all of
                         1 - 0.006 min(age_years, 60), and 0.15 more from 100 years on: old homes are sought again
                         1.2 - 0.001 energy_kwh_m2, 1 + 0.01 floor, 1 + 0.15 exp(-station_km),
                         1 + 0.003 green_percent, 1 - 0.01 max(noise_db - 55, 0)
                       + 400 garden_m2 + 9000 bathrooms, and of that 7 % more or less, log-normal

So no model can be closer to it than 5.6 % on average. An advert tells less of a home, in other types, and has gaps:

    area_m2, rooms, age_years, center_km   as above; the area is missing for one in twenty
    kind           category   house where there is a garden, else flat, or loft for one in seven: 12 % more
    heating        category   gas, oil, district, heat pump: 6 % more; missing for one in ten
    balcony        boolean    every second one: 4 % more
    renovated_on   date       1990 to 2025, 0.5 % more for each year; missing for two in five, who did nothing
    description    text       two to four of the eight `PHRASES`, from 10 % less to 8 % more for each
"""

import numpy as np
import pandas as pd

HOMES = 2000
DISTRICTS = 40
PHRASES = {
    "in need of repair": -0.10,
    "on a busy street": -0.06,
    "next to the tram": 0.0,
    "kept by one family": 0.0,
    "bright and quiet": 0.04,
    "with a new kitchen": 0.05,
    "with oak floors": 0.06,
    "view over the river": 0.08,
}


def make_districts() -> pd.DataFrame:
    """What describes a district, and no home in it: six columns, by the number of the district."""
    rng = np.random.default_rng(0)
    center_km = rng.uniform(0.5, 15, DISTRICTS)
    return pd.DataFrame(
        {
            "center_km": center_km.round(1),
            "station_km": rng.uniform(0.1, 4, DISTRICTS).round(1),
            "green_percent": rng.uniform(5, 60, DISTRICTS).round(1),
            "noise_db": rng.uniform(40, 70, DISTRICTS).round(1),
            "income_keur": rng.uniform(25, 80, DISTRICTS).round(1),
            "shops": rng.poisson(60 / (1 + center_km)),
        },
        index=pd.RangeIndex(1, DISTRICTS + 1, name="district"),
    )


def make_homes() -> pd.DataFrame:
    """Thirteen columns that describe a home, and `price_eur`."""
    rng = np.random.default_rng(0)
    area_m2 = rng.lognormal(np.log(85), 0.4, HOMES).round(1)
    rooms = (area_m2 / 24 + rng.normal(0, 0.6, HOMES)).round().clip(1, 8).astype(int)
    floor = rng.integers(0, 7, HOMES)
    has_garden = (floor == 0) & (rng.random(HOMES) < 0.5)
    age_years = rng.integers(0, 131, HOMES)
    own = pd.DataFrame(
        {
            "area_m2": area_m2,
            "rooms": rooms,
            "bathrooms": (rooms / 3).round().clip(1, 3).astype(int),
            "floor": floor,
            "garden_m2": np.where(has_garden, rng.uniform(50, 800, HOMES), 0).round(1),
            "age_years": age_years,
            "energy_kwh_m2": (60 + age_years.clip(max=80) + rng.normal(0, 15, HOMES)).round(1),
        }
    )
    districts = make_districts().loc[rng.integers(1, DISTRICTS + 1, HOMES)].reset_index(drop=True)
    homes = own.join(districts)
    return homes.assign(price_eur=(_price(homes) * rng.lognormal(0, 0.07, HOMES)).round())


def _price(homes: pd.DataFrame) -> pd.Series:
    per_m2 = 1500 + 30 * homes["income_keur"] + 3000 * np.exp(-homes["center_km"] / 4)
    by_age = 1 - 0.006 * homes["age_years"].clip(upper=60) + 0.15 * (homes["age_years"] >= 100)
    by_house = (1.2 - 0.001 * homes["energy_kwh_m2"]) * (1 + 0.01 * homes["floor"])
    by_place = (1 + 0.15 * np.exp(-homes["station_km"])) * (1 + 0.003 * homes["green_percent"])
    by_noise = 1 - 0.01 * (homes["noise_db"] - 55).clip(lower=0)
    extras = 400 * homes["garden_m2"] + 9000 * homes["bathrooms"]
    return homes["area_m2"] * per_m2 * by_age * by_house * by_place * by_noise + extras


def make_adverts() -> pd.DataFrame:
    """The same homes as their adverts have them, in columns of mixed types with gaps, and `price_eur`."""
    rng = np.random.default_rng(1)
    homes = make_homes()
    kind = np.where(homes["garden_m2"] > 0, "house", np.where(rng.random(HOMES) < 1 / 7, "loft", "flat"))
    heating = rng.choice(["gas", "oil", "district", "heat pump"], HOMES)
    balcony = rng.random(HOMES) < 0.5
    renovated_on = pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 36 * 365, HOMES), unit="D")
    was_renovated = rng.random(HOMES) < 0.6
    chosen = [rng.choice(len(PHRASES), rng.integers(2, 5), replace=False) for _ in range(HOMES)]
    words, worths = list(PHRASES), np.array(list(PHRASES.values()))
    factor = (
        (1 + 0.12 * (kind == "loft"))
        * (1 + 0.06 * (heating == "heat pump"))
        * (1 + 0.04 * balcony)
        * (1 + 0.005 * (renovated_on.year - 1990) * was_renovated)
        * np.array([np.prod(1 + worths[indices]) for indices in chosen])
    )
    return pd.DataFrame(
        {
            "area_m2": homes["area_m2"].where(rng.random(HOMES) >= 0.05),
            "rooms": homes["rooms"],
            "age_years": homes["age_years"],
            "center_km": homes["center_km"],
            "kind": kind,
            "heating": pd.Series(heating).where(rng.random(HOMES) >= 0.1),
            "balcony": balcony,
            "renovated_on": pd.Series(renovated_on.strftime("%Y-%m-%d")).where(was_renovated),
            "description": [", ".join(words[index] for index in indices) for indices in chosen],
            "price_eur": (homes["price_eur"] * factor).round(),
        }
    )

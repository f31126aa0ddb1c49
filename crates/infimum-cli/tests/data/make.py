"""Writes mixed.parquet (pyarrow) and mixed.csv, which hold the same rows, and large.parquet: `python3 make.py` in this folder."""
import pyarrow as pa
import pyarrow.parquet as pq

rows = range(90)
columns = {
    "width": pa.array([(r * 37 % 41) / 7 for r in rows], pa.float64()),
    "count": pa.array([r * 23 % 29 - 11 for r in rows], pa.int64()),
    "share": pa.array([(r * 5 % 16) / 16 for r in rows], pa.float32()),
    "byte": pa.array([r * 7 % 256 for r in rows], pa.uint8()),
    "big": pa.array([2**53 - r for r in rows], pa.uint64()),
    "round": pa.array([r % 3 == 0 for r in rows]),
    "colour": pa.array([["red", "green", "dark, blue"][r * 11 % 3] for r in rows]).dictionary_encode(),
    "kind": pa.array(["large" if (r * 37 % 41) + (r * 17 % 11) > 24 else "small" for r in rows]),
}
table = pa.table(columns)
pq.write_table(table, "mixed.parquet", row_group_size=40, compression="zstd")
with open("mixed.csv", "w") as out:
    out.write(",".join(columns) + "\n")
    for row in table.to_pylist():
        text = [str(x).lower() if isinstance(x, bool) else f'"{x}"' if isinstance(x, str) else repr(x) for x in row.values()]
        out.write(",".join(text) + "\n")

# A matrix of 7.6 MiB, sixty columns of it doubles and forty one-hot.
rows = range(10_000)
wide = {f"x{j}": pa.array([((r * 31 + j * r % 13 + j) % 9 - 4) / 3 for r in rows], pa.float64()) for j in range(60)}
wide["shop"] = pa.array([f"shop {r * 7 % 40:02}" for r in rows])
wide["bought"] = pa.array([(r * 37 % 101 + r * 31 % 9) % 2 == 0 for r in rows])
pq.write_table(pa.table(wide), "large.parquet", row_group_size=2_000, compression="zstd")

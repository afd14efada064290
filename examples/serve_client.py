"""Asks a served model about photographs: python serve_client.py 8765 part_1.png part_2.png."""

# --8<-- [start:client]
import http.client
import json
import pathlib
import sys

for name in sys.argv[2:]:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    connection.request("POST", "/", pathlib.Path(name).read_bytes())
    answer = json.load(connection.getresponse())
    print(name, answer.get("error") or f"{answer['verdict']}, score {answer['score']:.4f}")
# --8<-- [end:client]

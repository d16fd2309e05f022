"""`python -m work_data_hub` is `wdh`."""

from work_data_hub.cli.command import run

if __name__ == "__main__":
    run("python -m work_data_hub")

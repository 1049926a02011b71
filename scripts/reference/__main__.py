"""Write the reference, or check that what is committed still follows from the contract.

python -m scripts.reference generate   write docs/openapi.yaml and docs/reference.md
python -m scripts.reference check      compare the committed files
"""

import sys

from scripts.contract import ROOT
from scripts.reference import openapi, page
from scripts.reference.contract import Contract, ContractError


def main() -> int:
    try:
        contract = Contract()
    except ContractError as error:
        print(error)
        return 1
    documents = {
        ROOT / "docs" / "openapi.yaml": openapi.document(contract),
        ROOT / "docs" / "reference.md": page.document(contract),
    }
    match sys.argv[1:]:
        case ["generate"]:
            for path, text in documents.items():
                path.write_text(text)
            return 0
        case ["check"]:
            stale = [path for path, text in documents.items() if path.read_text() != text]
            for path in stale:
                print(f"{path} does not follow from the contract: run `make generate`")
            return 1 if stale else 0
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main())

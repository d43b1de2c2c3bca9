"""How every test in Python runs, and counts: its last line is what tests/run adds up."""

import sys
import unittest


def main(*names):
    """Runs the tests of the program that calls, or those of these names; ends with 1 where any failed.

    What was skipped says why, and counts as neither."""
    result = unittest.main(argv=[sys.argv[0], *names], exit=False).result

    def cases(found):
        # A test with failing parts is one that fails.
        return {getattr(test, "test_case", test).id() for test, _ in found}

    for reason in sorted({reason for _, reason in result.skipped}):
        print("SKIPPED:", reason)
    failed = cases(result.failures) | cases(result.errors)
    skipped = cases(result.skipped) - failed
    print(f"{max(0, result.testsRun - len(failed) - len(skipped))} passed, {len(failed)} failed")
    sys.exit(bool(failed))

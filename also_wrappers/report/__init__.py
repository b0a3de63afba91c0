"""What people see of a run: page, terminal lines, TensorBoard, pictures."""

from also_wrappers.report.page import write_report
from also_wrappers.report.pictures import plot_evidence

__all__ = ["plot_evidence", "write_report"]

"""What the guard found in a volume, as tables, figures and a page."""

from monai_advdefense.report.case import Case, Decision, SliceRecord, Verdict, case_from_scores, slice_positions
from monai_advdefense.report.case_html import case_to_html
from monai_advdefense.report.charts import drawing_to_data_uri, figure_to_data_uri, picture_to_data_uri
from monai_advdefense.report.color_bar import color_bar
from monai_advdefense.report.group import GroupEntry, GroupVerdict, group_headline, group_to_csv, worst_first
from monai_advdefense.report.group_html import group_to_html
from monai_advdefense.report.label_colors import LABEL_COLORS, label_colors, structure_name
from monai_advdefense.report.provenance import BundleFacts, Provenance, bundle_facts, package_versions
from monai_advdefense.report.score_curve import score_curve
from monai_advdefense.report.slice_panels import slice_panels
from monai_advdefense.report.slice_view import Plane, SliceView, image_views, plane_of, slice_views
from monai_advdefense.report.tables import case_from_json, case_to_csv, case_to_json
from monai_advdefense.report.thumbnails import thumbnail, thumbnails_of_rejected

__all__ = [
    "LABEL_COLORS",
    "BundleFacts",
    "Case",
    "Decision",
    "GroupEntry",
    "GroupVerdict",
    "Plane",
    "Provenance",
    "SliceRecord",
    "SliceView",
    "Verdict",
    "bundle_facts",
    "case_from_json",
    "case_from_scores",
    "case_to_csv",
    "case_to_html",
    "case_to_json",
    "color_bar",
    "drawing_to_data_uri",
    "figure_to_data_uri",
    "group_headline",
    "group_to_csv",
    "group_to_html",
    "image_views",
    "label_colors",
    "package_versions",
    "picture_to_data_uri",
    "plane_of",
    "score_curve",
    "slice_panels",
    "slice_positions",
    "slice_views",
    "structure_name",
    "thumbnail",
    "thumbnails_of_rejected",
    "worst_first",
]

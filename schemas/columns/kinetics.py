"""Columns of kinetics: curves, input functions and parameters of dynamic series."""

from __future__ import annotations

from schemas.columns.base import Column as C

KINETICS = (
    C("analysis_id", "string", "Digest of series and kinetic profile."),
    C("profile_json", "string", "All options of the kinetic profile as JSON."),
    C("kinetic_model", "string", "patlak, logan, logan_reference, ma1, srtm or ratio."),
    C("analysis_status", "string", "done, or refused: see the reason."),
    C(
        "input_source",
        "string",
        "Where the model's input comes from: roi mean, roi hottest with its share, samples, reference roi.",
    ),
    C("input_roi_label", "string", "ROI of the input function or of the reference tissue."),
    C(
        "injection_offset_s",
        "float",
        "Injection after the start of the first frame; negative if it was before.",
        unit="s",
        source="RadiopharmaceuticalStartDateTime (0018,1078) and AcquisitionTime (0008,0032)",
    ),
    C(
        "t_star_min",
        "float",
        "Start of the first frame of the fit, after the injection.",
        unit="min",
    ),
    C("frame_number", "int", "Frame of the series, from 1."),
    C("frame_start_s", "float", "Start of the frame after the injection.", unit="s"),
    C("activity_mean", "float", "Mean over the voxels of the ROI, in value_unit."),
    C("activity_sd", "float", "Standard deviation over the voxels of the ROI, in value_unit."),
    C("input_mean", "float", "Mean of the input over the frame, in value_unit."),
    C(
        "input_integral",
        "float",
        "Mean over the frame of the input's integral since the injection, in value_unit times s.",
    ),
    C("parameter_name", "string", "Parameter of a kinetic model, such as ki, vt or bpnd."),
    C("standard_error", "float", "Of the value, from the residuals of the fit, in its unit."),
    C("r_squared", "float", "Weighted share of the variance of the points that the fit explains."),
    C("largest_deviation", "float", "Largest relative deviation of a point of the fit."),
    C("first_frame", "int", "First frame of the fit, from 1."),
    C("last_frame", "int", "Last frame of the fit."),
)

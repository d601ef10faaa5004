"""What happens to each attribute: an allow-list, from which everything not named is absent.

PS3.15 Table E.1-1 lists what to remove. This profile turns it round: it lists what is needed to
read, quantify and locate images and segmentations, and says how each is made safe, so that an
attribute nobody thought of (or a later edition of the standard adds) goes. The options taken are
Retain Patient Characteristics, Retain Longitudinal Temporal Information with Modified Dates,
Retain Safe Private and Clean Descriptors.

The value representation decides for most attributes: dates are shifted, UIDs mapped, numbers and
defined terms checked and kept, sequences entered. Text needs an action of its own.

References
----------
DICOM PS3.15 Annex E, Table E.1-1 and E.3.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword


class Action(Enum):
    """How the value of an attribute is made safe."""

    NUMBER = "keep, if it is the number that it should be"
    BULK = "keep without looking: pixels"
    TERM = "keep defined terms (CS) unless they hold an identifier"
    DEVICE = "keep text set by the device unless it holds an identifier"
    TECHNIQUE = "keep text set by the device if all its words are known, else those words"
    CODE = "keep code values and coding schemes unless they hold an identifier"
    CLEAN = "keep allowed words only"
    LABEL = "keep allowed words and short numbers only"
    DATE = "shift by the days of the patient (DA)"
    DATETIME = "shift by the days of the patient (DT)"
    TIME = "keep: days are shifted whole (TM)"
    AGE = "keep up to 89 years (AS)"
    OFFSET = "keep an offset from UTC"
    UID = "map"
    SEQUENCE = "do the same with every item"
    EMPTY = "keep without value: the object's definition wants it present"
    PATIENT = "replace by the patient key"
    CENTRE = "replace by the centre"


class Rule(NamedTuple):
    """Action on one attribute, its VR and, where fixed, the largest number of values."""

    action: Action
    vr: str
    max_values: int | None


_BY_VR: Final = {
    "DA": Action.DATE, "DT": Action.DATETIME, "TM": Action.TIME, "AS": Action.AGE,
    "UI": Action.UID, "SQ": Action.SEQUENCE, "CS": Action.TERM,
    **dict.fromkeys(("DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT", "OV"),
                    Action.NUMBER),
    "US or SS": Action.NUMBER,
}  # fmt: skip

_BY_ACTION: Final = {
    Action.EMPTY: "PatientBirthDate AccessionNumber ReferringPhysicianName StudyID "
    "PositionReferenceIndicator ROIInterpreter OperatorsName",
    Action.PATIENT: "PatientName PatientID",
    Action.CENTRE: "InstitutionName",
    Action.OFFSET: "TimezoneOffsetFromUTC",
    Action.BULK: "PixelData FloatPixelData DoubleFloatPixelData ExtendedOffsetTable "
    "ExtendedOffsetTableLengths",
    Action.DEVICE: "Manufacturer ManufacturerModelName SoftwareVersions RescaleType "
    "ModalityLUTType StackID",
    Action.TECHNIQUE: "ConvolutionKernel ReconstructionMethod ReconstructionAlgorithm "
    "AttenuationCorrectionMethod ScatterCorrectionMethod CollimatorGridName FilterType",
    Action.CODE: "CodeValue LongCodeValue CodingSchemeDesignator CodingSchemeVersion "
    "ContextIdentifier",
    Action.CLEAN: "StudyDescription SeriesDescription ProtocolName DerivationDescription "
    "Radiopharmaceutical RadiopharmaceuticalRoute ContrastBolusAgent CodeMeaning "
    "SegmentAlgorithmName EnergyWindowName LUTLabel LUTExplanation DimensionDescriptionLabel",
    Action.LABEL: "SegmentLabel ROIName ROIObservationLabel StructureSetLabel ContentLabel",
}  # fmt: skip

#: Attributes whose action follows from their VR, by module of PS3.3.
_KEPT: Final = {
    "patient and study": "PatientSex PatientAge PatientSize PatientWeight StudyDate StudyTime "
    "StudyInstanceUID",
    "series, equipment and frame of reference": "Modality SeriesDate SeriesTime SeriesNumber "
    "SeriesInstanceUID PatientPosition Laterality BodyPartExamined FrameOfReferenceUID "
    "SynchronizationFrameOfReferenceUID PixelPaddingValue",
    "SOP common and image": "SOPClassUID SOPInstanceUID InstanceCreationDate InstanceCreationTime "
    "InstanceNumber AcquisitionNumber ImageType AcquisitionDate AcquisitionTime "
    "AcquisitionDateTime AcquisitionDuration ContentDate ContentTime ImagesInAcquisition "
    "ImageLaterality QualityControlImage BurnedInAnnotation RecognizableVisualFeatures "
    "LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod "
    "PresentationLUTShape VolumetricProperties VolumeBasedCalculationTechnique PixelPresentation "
    "ComplexImageComponent TemporalPositionIdentifier NumberOfTemporalPositions "
    "TemporalPositionIndex TemporalResolution ReferencedImageSequence SourceImageSequence "
    "RelatedSeriesSequence ReferencedStudySequence DerivationCodeSequence "
    "PurposeOfReferenceCodeSequence ReferencedSOPClassUID ReferencedSOPInstanceUID "
    "ReferencedFrameNumber AnatomicRegionSequence AnatomicRegionModifierSequence "
    "PrimaryAnatomicStructureSequence SpatialLocationsPreserved ContentQualification",
    "pixels and plane": "SamplesPerPixel PhotometricInterpretation PlanarConfiguration "
    "NumberOfFrames FrameIncrementPointer Rows Columns PixelSpacing PixelAspectRatio "
    "BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingRangeLimit RescaleSlope "
    "RescaleIntercept WindowCenter WindowWidth SmallestImagePixelValue LargestImagePixelValue "
    "SmallestPixelValueInSeries LargestPixelValueInSeries ImagePositionPatient "
    "ImageOrientationPatient PatientOrientation SliceThickness SpacingBetweenSlices SliceLocation "
    "ImagerPixelSpacing NominalScannedPixelSpacing PixelSpacingCalibrationType",
    "isotope": "RadiopharmaceuticalInformationSequence RadiopharmaceuticalStartTime "
    "RadiopharmaceuticalStopTime RadiopharmaceuticalStartDateTime "
    "RadiopharmaceuticalStopDateTime RadionuclideTotalDose RadionuclideHalfLife "
    "RadionuclidePositronFraction RadiopharmaceuticalVolume RadiopharmaceuticalSpecificActivity "
    "RadionuclideCodeSequence RadiopharmaceuticalCodeSequence AdministrationRouteCodeSequence "
    "RadiopharmaceuticalAgentNumber RadiopharmaceuticalUsageSequence",
    "PET": "SeriesType Units CountsSource ReprojectionMethod SUVType RandomsCorrectionMethod "
    "DecayCorrection DecayCorrected DecayCorrectionDateTime CorrectedImage NumberOfSlices "
    "NumberOfTimeSlices NumberOfRRIntervals NumberOfTimeSlots TypeOfDetectorMotion CollimatorType "
    "SliceSensitivityFactor DecayFactor DoseCalibrationFactor ScatterFractionFactor DeadTimeFactor "
    "ImageIndex FrameReferenceTime ActualFrameDuration FrameTime FrameTimeVector "
    "PrimaryPromptsCountsAccumulated SecondaryCountsAccumulated AxialAcceptance AxialMash "
    "TransverseMash DetectorElementSize CoincidenceWindowWidth TriggerTime NominalInterval "
    "LowRRValue HighRRValue IntervalsAcquired IntervalsRejected BeatRejectionFlag HeartRate "
    "EnergyWindowRangeSequence EnergyWindowLowerLimit EnergyWindowUpperLimit "
    "ReconstructionDiameter FieldOfViewShape FieldOfViewDimensions TableHeight TableTraverse "
    "GantryDetectorTilt RotationDirection AcquisitionStartCondition AcquisitionStartConditionData "
    "AcquisitionTerminationCondition AcquisitionTerminationConditionData "
    "PatientOrientationCodeSequence PatientOrientationModifierCodeSequence "
    "PatientGantryRelationshipCodeSequence SliceProgressionDirection AttenuationCorrected "
    "ScatterCorrected DeadTimeCorrected GantryMotionCorrected PatientMotionCorrected "
    "CountLossNormalizationCorrected RandomsCorrected NonUniformRadialSamplingCorrected "
    "SensitivityCalibrated DetectorNormalizationCorrection IterativeReconstructionMethod "
    "NumberOfIterations NumberOfSubsets TimeOfFlightInformationUsed",
    "NM": "NumberOfEnergyWindows EnergyWindowVector EnergyWindowInformationSequence "
    "NumberOfDetectors DetectorVector DetectorInformationSequence NumberOfRotations RotationVector "
    "RotationInformationSequence SliceVector AngularViewVector TimeSliceVector NumberOfPhases "
    "PhaseVector PhaseInformationSequence RRIntervalVector TimeSlotVector StartAngle AngularStep "
    "ScanArc RadialPosition FocalDistance XFocusCenter YFocusCenter ZoomFactor ZoomCenter "
    "NumberOfFramesInRotation NumberOfFramesInPhase PhaseDelay PauseBetweenFrames "
    "CountsAccumulated CountRate WholeBodyTechnique ScanVelocity ScanLength "
    "GatedInformationSequence TimeSlotInformationSequence TimeSlotTime AcquisitionMatrix",
    "CT": "KVP DataCollectionDiameter XRayTubeCurrent ExposureTime Exposure ExposureInuAs "
    "GeneratorPower FocalSpots RevolutionTime SingleCollimationWidth TotalCollimationWidth "
    "TableSpeed TableFeedPerRotation SpiralPitchFactor CTDIvol ReconstructionTargetCenterPatient "
    "DataCollectionCenterPatient DistanceSourceToDetector DistanceSourceToPatient ScanOptions "
    "ContrastBolusVolume ExposureModulationType MultienergyCTAcquisition",
    "MR": "MagneticFieldStrength EchoTime RepetitionTime FlipAngle ImagingFrequency EchoNumbers "
    "ScanningSequence SequenceVariant MRAcquisitionType InversionTime EchoTrainLength "
    "NumberOfAverages PixelBandwidth InPlanePhaseEncodingDirection",
    "real world values": "RealWorldValueMappingSequence RealWorldValueSlope "
    "RealWorldValueIntercept RealWorldValueFirstValueMapped RealWorldValueLastValueMapped "
    "DoubleFloatRealWorldValueFirstValueMapped DoubleFloatRealWorldValueLastValueMapped "
    "MeasurementUnitsCodeSequence QuantityDefinitionSequence ConceptNameCodeSequence "
    "ConceptCodeSequence ValueType ReferencedImageRealWorldValueMappingSequence",
    "frames": "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence "
    "PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence FrameContentSequence "
    "FrameAnatomySequence FrameLaterality FrameVOILUTSequence PixelValueTransformationSequence "
    "DimensionOrganizationSequence DimensionOrganizationUID DimensionOrganizationType "
    "DimensionIndexSequence DimensionIndexPointer FunctionalGroupPointer DimensionIndexValues "
    "InStackPositionNumber FrameAcquisitionNumber FrameReferenceDateTime FrameAcquisitionDateTime "
    "FrameAcquisitionDuration FrameType PETFrameTypeSequence PETFrameAcquisitionSequence "
    "PETFrameCorrectionFactorsSequence PETReconstructionSequence PETTableDynamicsSequence "
    "PETPositionSequence CTImageFrameTypeSequence MRImageFrameTypeSequence TablePosition",
    "segmentation": "SegmentationType SegmentationFractionalType MaximumFractionalValue "
    "SegmentSequence SegmentNumber SegmentAlgorithmType SegmentedPropertyCategoryCodeSequence "
    "SegmentedPropertyTypeCodeSequence SegmentedPropertyTypeModifierCodeSequence "
    "RecommendedDisplayCIELabValue RecommendedDisplayGrayscaleValue TrackingUID "
    "SegmentIdentificationSequence ReferencedSegmentNumber DerivationImageSequence "
    "ReferencedSeriesSequence ReferencedInstanceSequence SegmentsOverlap",
    "structure set": "StructureSetDate StructureSetTime ReferencedFrameOfReferenceSequence "
    "RTReferencedStudySequence RTReferencedSeriesSequence ContourImageSequence "
    "StructureSetROISequence ROINumber ReferencedFrameOfReferenceUID ROIGenerationAlgorithm "
    "ROIVolume ROIContourSequence ROIDisplayColor ReferencedROINumber ContourSequence "
    "ContourGeometricType NumberOfContourPoints ContourData ContourNumber ContourSlabThickness "
    "ContourOffsetVector AttachedContours RTROIObservationsSequence ObservationNumber "
    "RTROIInterpretedType RTROIIdentificationCodeSequence ApprovalStatus",
}  # fmt: skip


def _rule(keyword: str, action: Action | None = None) -> tuple[int, Rule]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(f"{keyword} is not in the DICOM dictionary")
    vr, multiplicity = dictionary_VR(tag), dictionary_VM(tag)
    largest = multiplicity.rpartition("-")[2]
    max_values = int(largest) if largest.isdigit() else None
    return tag, Rule(action or _BY_VR[vr], vr, max_values)


#: Action by tag; a tag that is not here is not kept.
RULES: Final[dict[int, Rule]] = {
    **dict(_rule(keyword) for names in _KEPT.values() for keyword in names.split()),
    **dict(_rule(keyword, a) for a, names in _BY_ACTION.items() for keyword in names.split()),
}

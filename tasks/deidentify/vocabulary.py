"""Words that may stay in descriptions, names of ROIs and code meanings.

An allow-list: what is not here goes, since free text may name people, places and days. All words
are lower case, without accents but with their German forms.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TECHNIQUE = _words(
    """
    pet ct mr mri pt nm spect petct petmr spectct wb whole body wholebody total torso static dynamic
    dyn gated ungated late early delayed delay baseline followup interim restaging staging therapy
    post pre posttherapy scan study image images series recon reconstruction reconstructed original
    derived axial coronal sagittal transaxial transverse oblique slice slices thin thick mip minip
    projection fused fusion localizer scout topogram tomo tomography planar emission transmission
    rest stress native contrast km kontrast ce arterial venous portal phase iv oral standard std
    soft tissue softtissue sharp smooth bone lung low dose lowdose ld ldct lowdosect attenuation map
    mumap umap corrected uncorrected ac nac ctac mrac acct ctacs noac nonac correction no with
    without mit ohne fdg18f frame frames bed beds position min sec mm cm single multi phantom nema
    iq calibration qc test tof psf nofilter filter filtered filt nofilt gauss gaussian hann
    butterworth allpass allpassfilter hd truex ultrahd tof3d osem osem3d osem2d osem2dpsf fbp fbp3d
    mlem ramla blob lor blobostf bsrem qclear vpfx vpfxs vpfxfx sharpir vuepoint vue fx oscgmm
    xspect xspectquant quant spectquant flash flash3d evolution dl deep learning denoised aice ir
    idose safire admire asir brain2d whole3d counts suv suvbw bqml bq ml becquerels becquerel
    milliliter millilitre per gram grams kilogram hu hounsfield unit units count second seconds
    minute minutes percent standardized uptake value weight energy window photopeak peak scatter
    antero postero anteroposterior posteroanterior
    """
)

_TRACERS = _words(
    """
    fdg fluorodeoxyglucose fludeoxyglucose deoxyglucose flt fluorothymidine fet fluoroethyltyrosine
    fdopa dopa choline cholin fluorocholine fch naf sodium fluoride psma psma11 psma617 psma1007
    rhpsma piflufolastat dcfpyl dotatate dotatoc dotanoc dota tate toc noc edotreotide oxodotreotide
    octreotide tektrotyd fapi fapi46 fmiso misonidazole faza acetate acetat methionine met
    florbetapir florbetaben flutemetamol pib fes fluoroestradiol fluciclovine exendin pentixafor
    water ammonia rubidium mibg iobenguane mibi sestamibi tetrofosmin mdp hdp dpd maa
    macroaggregated albumin sulfur colloid nanocolloid pertechnetate diphosphonate iodide iodine
    fluorine fluor gallium lutetium technetium indium copper zirconium yttrium carbon nitrogen
    oxygen germanium radium actinium samarium thallium xenon scandium terbium trastuzumab
    microspheres sirt zevalin radionuclide tracer solution injection injected citrate phosphate
    """
)

_ANATOMY = _words(
    """
    head neck headneck kopf hals skull schaedel schadel brain hirn gehirn cerebrum cerebral
    cerebellum cortex striatum thalamus eye auge orbita parotid parotis salivary submandibular gland
    glands druese thyroid schilddruese thorax thoracic chest brustkorb breast mamma lungs lunge
    pulmonary pleura mediastinum mediastinal hilum hilar heart herz cardiac myocardium myocard
    ventricle atrium aorta ascending descending blood pool bloodpool vessel vena cava abdomen
    abdominal bauch liver leber hepatic spleen milz kidney kidneys niere renal adrenal nebenniere
    pancreas pankreas stomach magen bowel darm colon rectum rektum duodenum esophagus oesophagus
    gallbladder gallenblase bladder blase urinary ureter pelvis pelvic becken prostate prostata
    seminal vesicle uterus cervix cervical ovary ovar testis testes bones knochen skeleton skelett
    spine spinal spinalis vertebra vertebral sacrum femur femoral humerus rib ribs sternum iliac
    pelvicbone marrow knochenmark muscle muskel fat fett skin haut body extremity extremities arm
    arms leg legs limb thigh calf hand foot upper lower left right links rechts li re anterior
    posterior lateral medial central lobe oberlappen unterlappen ganzkoerper ganzkorper koerper
    stamm rumpf lymph lymphknoten lk node nodes nodal lymphnode axilla axillary inguinal
    supraclavicular retroperitoneal paraaortic mesenteric organ organs organe tissue gewebe region
    structure recumbent supine prone headfirst feetfirst feet first decubitus standing
    """
)

_LESIONS = _words(
    """
    tumour tumor tumors tumours tu lesion lesions laesion laesionen primary primaer primaertumor
    metastasis metastases metastatic metastase metastasen met mets filia filiae recurrence rezidiv
    residual lymphoma lymphom sarcoma sarkom carcinoma karzinom cancer krebs melanoma melanom
    neoplasm malignant benign nodule mass gtv gtvp gtvn gtvt ctv itv ptv gtvpet gtvct roi voi seg
    segment segmentation segmentations mask contour label labels hot cold spot spots sphere spheres
    kugel cylinder insert background bg hintergrund reference referenz ref uptake mtv tmtv tlg core
    necrosis necrotic edema oedema threshold thr isocontour suvmax suvpeak target boost dose volume
    vol external outline morphologically altered abnormal anatomical measurement finding manual
    automatic auto semiautomatic undefined unknown
    """
)

_MAKERS = _words(
    """
    siemens healthineers healthcare cps ctimi cti biograph mct horizon vision quadra intevo symbia
    encore2 ecat exact hr ge gems medical systems system discovery omni signa philips gemini
    ingenuity vereos ux ingenia astonish brightview united imaging uexplorer umi umr canon toshiba
    celesteion cartesion mediso anyscan spectrum dynamics veriton hermes mim mirada syngo pmod
    """
)

#: Every allowed word.
WORDS: Final = _TECHNIQUE | _TRACERS | _ANATOMY | _LESIONS | _MAKERS

#: Mass numbers by element symbol: ``18F``, ``F-18`` and ``[F18]`` all become ``f18``.
NUCLIDES: Final[dict[str, frozenset[str]]] = {
    "ac": frozenset({"225"}), "c": frozenset({"11"}), "cu": frozenset({"61", "64", "67"}),
    "f": frozenset({"18"}), "ga": frozenset({"67", "68"}), "ge": frozenset({"68"}),
    "ho": frozenset({"166"}), "i": frozenset({"123", "124", "125", "131"}),
    "in": frozenset({"111"}), "lu": frozenset({"177", "177m"}), "n": frozenset({"13"}),
    "o": frozenset({"15"}), "pb": frozenset({"203", "212"}), "ra": frozenset({"223"}),
    "rb": frozenset({"82"}), "re": frozenset({"186", "188"}), "sc": frozenset({"43", "44", "47"}),
    "sm": frozenset({"153"}), "tb": frozenset({"149", "152", "155", "161"}),
    "tc": frozenset({"99m"}), "tl": frozenset({"201"}), "xe": frozenset({"133"}),
    "y": frozenset({"86", "90"}), "zr": frozenset({"89"}),
}  # fmt: skip

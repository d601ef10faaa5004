"""Reading DICOM objects: encoding, headers, stored pixels, geometry. Bytes in, arrays out."""

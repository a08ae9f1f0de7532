internal import Runtime

extension ProcessFigures {
    /// Resident memory in units of 10^6 bytes.
    var residentMegabytes: Double { Double(residentBytes) / 1e6 }
    /// The most that it was since the start, or since `resetPeak`.
    var peakMegabytes: Double { Double(peakResidentBytes) / 1e6 }
}

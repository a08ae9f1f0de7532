extension Double {
    /// With three significant digits, or none behind the point where it is large.
    package var short: String {
        if self == 0 { return "0" }
        var value = abs(self)
        var decimals = 2
        while value < 1, decimals < 6 {
            value *= 10
            decimals += 1
        }
        while value >= 10, decimals > 0 {
            value /= 10
            decimals -= 1
        }
        return fixed(decimals)
    }

    /// With so many digits behind the point, the same on every machine.
    package func fixed(_ decimals: Int) -> String {
        let scale = (0..<decimals).reduce(1.0) { value, _ in value * 10 }
        let scaled = (abs(self) * scale).rounded()
        guard scaled < 1e15 else { return "\(self)" }
        let whole = Int(scaled)
        let sign = self < 0 && whole > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(whole)" }
        let digits = String(whole % Int(scale))
        let zeros = String(repeating: "0", count: decimals - digits.count)
        return "\(sign)\(whole / Int(scale)).\(zeros)\(digits)"
    }
}

extension String {
    /// Byte for byte. `==` takes texts for equal that Unicode calls equivalent.
    func isSame(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}

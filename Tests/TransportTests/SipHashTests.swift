import Testing
import Transport

@Suite("SipHash-2-4-128")
struct SipHashTests {
    /// From the authors' reference implementation (vectors.h, `vectors_sip128`): key 00..0f, input 00..n-1.
    @Test(
        "gives the reference implementation's output",
        arguments: [
            (0, "a3817f04ba25a8e66df67214c7550293"),
            (1, "da87c1d86b99af44347659119b22fc45"),
            (2, "8177228da4a45dc7fca38bdef60affe4"),
            (3, "9c70b60c5267a94e5f33b6b02985ed51"),
            (8, "3b62a9ba6258f5610f83e264f31497b4"),
            (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
            (16, "6ee2a4ca67b054bbfd3315bf85230577"),
            (63, "5150d1772f50834a503e069a973fbd7c"),
        ])
    func referenceVectors(length: Int, expected: String) {
        let hash = SipHash(key0: 0x0706_0504_0302_0100, key1: 0x0f0e_0d0c_0b0a_0908)
            .hash((0..<length).map { UInt8($0) })
        let bytes = (0..<16).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt128($0))) }
        let text = bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
        #expect(text == expected)
    }

    @Test("depends on the key")
    func keyed() {
        #expect(SipHash(key0: 1, key1: 2).hash([1, 2, 3]) != SipHash(key0: 1, key1: 3).hash([1, 2, 3]))
    }
}

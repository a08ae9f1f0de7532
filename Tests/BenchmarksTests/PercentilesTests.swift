import Testing

@testable import Benchmarks

@Suite("Percentiles")
struct PercentilesTests {
    @Test("They are samples of the nearest rank, in whatever order the samples come")
    func nearestRank() {
        let samples = Percentiles((1...1_000).map(Double.init).shuffled())
        #expect(samples.p50 == 500)
        #expect(samples.p99 == 990)
        #expect(samples.p999 == 999)
        #expect(samples.max == 1_000)
        #expect(samples.at(0) == 1)
    }

    @Test("The median of an even number of samples is the lower of the two in the middle")
    func fewSamples() {
        #expect(Percentiles([4, 1, 3, 2]).p50 == 2)
        #expect(Percentiles([7]).p999 == 7)
        #expect(Percentiles([]).p50 == nil)
        #expect(Percentiles([]).max == nil)
    }
}

@Suite("What a run uses up")
struct ResourceUseTests {
    @Test("The UDP packets sent are found by name, and 0 where they are not told")
    func datagrams() {
        let text = """
            Ip: Forwarding DefaultTTL
            Ip: 1 64
            Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors
            Udp: 11 2 3 444 5
            UdpLite: InDatagrams NoPorts InErrors OutDatagrams
            UdpLite: 0 0 0 0
            """
        #expect(ResourceUse.datagramsSent(in: text) == 444)
        #expect(ResourceUse.datagramsSent(in: "Udp: InDatagrams\nUdp: 11\n") == 0)
        #expect(ResourceUse.datagramsSent(in: "") == 0)
    }
}

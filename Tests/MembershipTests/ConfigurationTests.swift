import Membership
import Testing

@Suite("Membership configuration")
struct ConfigurationTests {
    @Test("The defaults can be used")
    func defaults() { #expect(MembershipConfiguration().validate().isEmpty) }

    @Test("All faults are reported at once, by key")
    func faults() {
        var configuration = MembershipConfiguration()
        configuration.probeTimeout = .milliseconds(399)
        configuration.minimumSuspicion = .milliseconds(100)
        configuration.maxUnconfirmedMembers = configuration.maxMembers + 1
        configuration.pauseGrace = configuration.pauseThreshold
        configuration.joining.maxSeedBackOff = .milliseconds(99)
        configuration.joining.joinTimeout = .milliseconds(-1)
        configuration.joining.slowBackOff = .seconds(1)
        configuration.joining.maxRetriesPerSecond = 0
        #expect(
            Set(configuration.validate().map(\.key)) == [
                "probe_timeout", "minimum_suspicion", "max_unconfirmed_members", "pause_grace", "max_seed_back_off",
                "join_timeout", "slow_back_off", "max_retries_per_second",
            ])
    }
}

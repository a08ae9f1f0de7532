import Testing
import Transport

@testable import TransportZMQ

@Suite("Following a publisher")
struct StreamFollowerTests {
    @Test("Frames in order lose nothing; a jump loses what it leaves out")
    func jumps() {
        var follower = StreamFollower()
        #expect(follower.stream == nil)
        #expect(follower.note(frame: 1, channel: .membership, stream: 9) == 0)
        #expect(follower.note(frame: 2, channel: .membership, stream: 9) == 0)
        #expect(follower.note(frame: 4, channel: .membership, stream: 9) == 1)
        #expect(follower.note(frame: 15, channel: .membership, stream: 9) == 10)
        #expect(follower.note(frame: 16, channel: .membership, stream: 9) == 0)
        #expect(follower.stream == 9)
    }

    @Test("The first frame of a stream may have any number")
    func firstSight() {
        var follower = StreamFollower()
        #expect(follower.note(frame: 1_000, channel: .replication, stream: 1) == 0)
        #expect(follower.note(frame: 1_001, channel: .replication, stream: 1) == 0)
        // The other channel has not been seen yet.
        #expect(follower.note(frame: 500, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: 502, channel: .membership, stream: 1) == 1)
    }

    @Test("An older frame and a repeated one lose and change nothing")
    func olderFrames() {
        var follower = StreamFollower()
        #expect(follower.note(frame: 10, channel: .replication, stream: 1) == 0)
        let before = follower
        for sequence: UInt64 in [10, 9, 1, 0] {
            #expect(follower.note(frame: sequence, channel: .replication, stream: 1) == 0)
            #expect(follower == before)
        }
        #expect(follower.note(frame: 11, channel: .replication, stream: 1) == 0)
    }

    @Test("Channels are counted apart")
    func channels() {
        var follower = StreamFollower()
        for sequence: UInt64 in 1...5 { _ = follower.note(frame: sequence, channel: .membership, stream: 1) }
        #expect(follower.note(frame: 1, channel: .replication, stream: 1) == 0)
        #expect(follower.note(frame: 3, channel: .replication, stream: 1) == 1)
        #expect(follower.note(frame: 6, channel: .membership, stream: 1) == 0)
    }

    @Test("A beat shows the loss of the last frames, of both channels, once")
    func beats() {
        var follower = StreamFollower()
        #expect(follower.note(frame: 3, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: 7, channel: .replication, stream: 1) == 0)
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 3, replication: 7)) == 0)
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 4, replication: 9)) == 3)
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 4, replication: 9)) == 0)
        #expect(follower.note(frame: 5, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: 10, channel: .replication, stream: 1) == 0)
    }

    @Test("A first beat says where a stream stands, also that it has sent nothing")
    func firstBeat() {
        var follower = StreamFollower()
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 100, replication: 0)) == 0)
        #expect(follower.note(frame: 101, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: 2, channel: .replication, stream: 1) == 1)
    }

    @Test("A beat that is behind changes nothing")
    func olderBeat() {
        var follower = StreamFollower()
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 10, replication: 10)) == 0)
        let before = follower
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 9, replication: 0)) == 0)
        #expect(follower == before)
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: 9, replication: 12)) == 2)
    }

    @Test("A new start of the publisher begins anew, with a frame as with a beat")
    func newStream() {
        var follower = StreamFollower()
        #expect(follower.note(frame: 1_000, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: 1_000, channel: .replication, stream: 1) == 0)
        #expect(follower.note(frame: 1, channel: .membership, stream: 2) == 0)
        #expect(follower.stream == 2)
        #expect(follower.note(frame: 5, channel: .replication, stream: 2) == 0)
        #expect(follower.note(frame: 3, channel: .membership, stream: 2) == 1)
        #expect(follower.noteBeat(stream: 3, heads: StreamHeads(membership: 50, replication: 60)) == 0)
        #expect(follower.note(frame: 52, channel: .membership, stream: 3) == 1)
    }

    @Test("Hostile numbers are counted as 1 << 20 at most, and do not overflow")
    func hostileNumbers() {
        let most = StreamFollower.maxLostPerStep
        #expect(most == 1 << 20)
        var follower = StreamFollower()
        #expect(follower.note(frame: 0, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: UInt64(most), channel: .membership, stream: 1) == most - 1)
        #expect(follower.note(frame: UInt64(2 * most + 1), channel: .membership, stream: 1) == most)
        #expect(follower.note(frame: UInt64(3 * most + 3), channel: .membership, stream: 1) == most)
        #expect(follower.note(frame: .max, channel: .membership, stream: 1) == most)
        #expect(follower.note(frame: .max, channel: .membership, stream: 1) == 0)
        #expect(follower.note(frame: 1, channel: .membership, stream: 1) == 0)

        follower = StreamFollower()
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads()) == 0)
        #expect(follower.noteBeat(stream: 1, heads: StreamHeads(membership: UInt64(most), replication: 0)) == most)
        let both = StreamHeads(membership: .max, replication: .max)
        #expect(follower.noteBeat(stream: 1, heads: both) == 2 * most)
        #expect(follower.noteBeat(stream: 1, heads: both) == 0)
    }
}

/// What a host tells of its divert ports and of what has happened since it was started.
public struct HostStatistics: Equatable, Sendable {
  /// In ascending order.
  package var bound: [BoundPort] = []
  /// Ports that nobody has bound, but rules name or a policy is set for; in ascending order.
  package var unbound: [UnboundPort] = []
  package var totals = Counts<HostCount>()
  /// What sockets have written, those that are gone by now, too.
  package var written = Counts<SocketCount>()
  /// Interfaces whose IP traffic no rule is applied to; in the order of their indexes.
  package var unruled: [UnruledInterface] = []
  /// Whether the rules stay in force when divertd ends.
  package var staysInForce = false

  package init() {}
}

/// A divert port that a socket has.
package struct BoundPort: Equatable, Sendable {
  package var port: UInt16
  package var policy: UnboundPolicy
  package var options: SocketOptions
  /// The interface index and name of the link that the socket lives on.
  package var link: UInt32
  package var linkName: String
  /// The socket's inode: in `/proc/PID/fd` of its owners it is `socket:[INODE]`.
  package var inode: UInt32
  /// Bytes that wait to be read, and that may wait, as the kernel accounts for them.
  package var waiting: UInt32
  package var receiveBuffer: UInt32
  /// Packets that found the receive buffer full.
  package var droppedFull: UInt64
  /// Packets that `divert` and copies that `tee` has given to the link since the port was bound.
  package var diverted: UInt64
  package var teed: UInt64
  /// What the socket has written.
  package var written: Counts<SocketCount>

  package init(
    port: UInt16, policy: UnboundPolicy, options: SocketOptions, link: UInt32, linkName: String,
    inode: UInt32, waiting: UInt32, receiveBuffer: UInt32, droppedFull: UInt64, diverted: UInt64,
    teed: UInt64, written: Counts<SocketCount>
  ) {
    (self.port, self.policy, self.options) = (port, policy, options)
    (self.link, self.linkName, self.inode) = (link, linkName, inode)
    (self.waiting, self.receiveBuffer, self.droppedFull) = (waiting, receiveBuffer, droppedFull)
    (self.diverted, self.teed, self.written) = (diverted, teed, written)
  }
}

/// A divert port that nobody has bound.
package struct UnboundPort: Equatable, Sendable {
  package var port: UInt16
  package var policy: UnboundPolicy

  package init(port: UInt16, policy: UnboundPolicy) { (self.port, self.policy) = (port, policy) }
}

/// An interface whose IP traffic no rule is applied to.
package struct UnruledInterface: Equatable, Sendable {
  package var name: String
  /// What is in the way, and what can be done about it.
  package var reason: String

  package init(name: String, reason: String) { (self.name, self.reason) = (name, reason) }
}

/// What a host counts since it was started.
package enum HostCount: Int, CaseIterable, Sendable {
  /// Packets given to sockets by `divert`.
  case diverted
  /// Copies given to sockets by `tee`.
  case teed
  /// Nobody had bound the port: a diverted packet dropped or let pass, or a copy not made.
  case noPort
  /// Written back too often.
  case looped
  /// Packets that found a socket's receive buffer full.
  case droppedFull
  /// Packets that the hooks sent to divertd for judgement.
  case upcalls
  /// Of the diverted and copied ones, those that divertd wrote to the sockets.
  case delivered
  /// Frames on a link that neither a hook nor a divert socket has sent.
  case strangers
  /// Packets with a header that makes no sense: denied before any rule.
  case unreadable
  /// Fragments of a datagram that was to be diverted and of which not all came.
  case droppedFragments
  /// Fragments that had to wait for others.
  case fragments
  /// Datagrams put together.
  case reassembled
  /// Datagrams whose other fragments did not come in time.
  case timedOut
  /// Datagrams that had to make room.
  case evicted
  /// Datagrams given up, since a rule denied one of their fragments.
  case givenUp
  /// Datagrams with too many fragments.
  case tooManyFragments
  case overlappingFragments
  case duplicateFragments
  /// Datagrams that would be longer than 65535 bytes.
  case oversizeFragments
  case invalidFragments
  /// Fragments marked by ECN as the others may not be (RFC 3168 §5.3).
  case mixedCongestion
  /// Diverted packets for whose path there was no room: written back, they are routed anew.
  case noPath
  /// Packets written back so late that their path was forgotten: they were routed anew.
  case lostPath
  /// Packets for divertd's judgement that were dropped: their path was forgotten, and with it the interface.
  case unplaced
}

/// A 64-bit count for each case of an enumeration. What the other side of a connection does not know is 0.
package struct Counts<Key: RawRepresentable<Int> & CaseIterable & Sendable>: Equatable, Sendable {
  package private(set) var values: [UInt64]

  package init() { values = Array(repeating: 0, count: Key.allCases.count) }

  /// - Parameter values: In the order of the cases.
  package init(_ values: [UInt64]) {
    // Zeros at the end say nothing, also those of counts that a newer sender has: equal counts are equal values.
    let told = (values.lastIndex { $0 != 0 } ?? -1) + 1
    let missing = max(0, Key.allCases.count - told)
    self.values = values.prefix(told) + Array(repeating: 0, count: missing)
  }

  package static func + (left: Self, right: Self) -> Self {
    Self(zip(left.values, right.values).map { $0 &+ $1 })
  }
  package static func - (left: Self, right: Self) -> Self {
    Self(zip(left.values, right.values).map { $0 &- $1 })
  }

  package subscript(key: Key) -> UInt64 {
    get { values[key.rawValue] }
    set { values[key.rawValue] = newValue }
  }
}

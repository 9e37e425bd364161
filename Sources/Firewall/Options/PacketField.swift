/// What of a packet or its pass an option looks at.
package enum PacketField: Sendable, BitwiseCopyable {
  case version
  /// IPv4's Protocol field; in IPv6 what follows the extension headers.
  case protocolNumber
  case source, destination
  case sourcePort, destinationPort
  case icmpType
  case tcpFlags
  /// ``PacketFields/fragmentBits``.
  case fragmentBits
  case direction
  case receiveInterface, transmitInterface
  /// The one that the pass is about: received on, or about to be sent on.
  case passInterface
  /// Whether a program has written the packet.
  case reinjection

  package var isInterface: Bool {
    switch self {
    case .receiveInterface, .transmitInterface, .passInterface: true
    case .version, .protocolNumber, .source, .destination, .sourcePort, .destinationPort, .icmpType,
      .tcpFlags,
      .fragmentBits, .direction, .reinjection:
      false
    }
  }
}

/// The packets of which an option can be true: of all others it is false, and `not` with it true.
package struct Applicability: Equatable, Sendable, BitwiseCopyable {
  /// nil: both versions of IP.
  package var version: UInt8?
  package var transport: Transport = .any
  /// Only the first fragment of a datagram has a transport header.
  package var needsFirstFragment: Bool { transport != .any }
  /// nil: both passes.
  package var direction: Direction?

  package enum Transport: Equatable, Sendable, BitwiseCopyable {
    case any
    /// TCP, UDP, UDP-Lite and SCTP.
    case ports
    case tcp
    case icmp
  }

  package static let all = Applicability()
  package static let version4 = Applicability(version: 4)
  package static let version6 = Applicability(version: 6)
  package static let ports = Applicability(transport: .ports)
  package static let tcp = Applicability(transport: .tcp)
  package static let icmp = Applicability(version: 4, transport: .icmp)
  package static let incoming = Applicability(direction: .incoming)
  package static let outgoing = Applicability(direction: .outgoing)
}

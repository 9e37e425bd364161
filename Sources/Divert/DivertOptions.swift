import DivertWire
import Kernel

/// What a divert socket asks of its host, beside packets. What is not asked for costs nothing.
public struct DivertOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Fragments as they are. Without it diverted ones are reassembled first, and one that is diverted brings all the
  /// others (divert(4), FRAGMENTS; its BUGS ask for this option).
  public static let fragments = DivertOptions(.fragments)

  /// When the socket got each packet: ``DivertedPacket/time``.
  public static let time = DivertOptions(.time)

  /// The mark of each packet (SO_MARK of socket(7), `meta mark` of nft(8)), which it keeps when it is written back:
  /// ``DivertedPacket/mark``. On BSD it is lost.
  public static let mark = DivertOptions(.mark)

  /// Who has made each packet that this host sends: ``DivertedPacket/owner``. On the kernel it needs Linux 6.14.
  public static let owner = DivertOptions(.owner)

  private init(_ option: SocketOptions) { self.init(rawValue: option.rawValue) }

  /// What the host has to know of.
  var socketOptions: SocketOptions { SocketOptions(rawValue: rawValue).intersection(.all) }

  /// Whether something is told of each packet beside it.
  package var asksForNotes: Bool { !isDisjoint(with: [.time, .mark, .owner]) }
}

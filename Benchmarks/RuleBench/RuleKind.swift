import Firewall
import Packets

/// Rule sets as people have them, and such as are hard to index. None of the rules matches ``background`` packets.
enum RuleKind: String, CaseIterable {
  /// Five-tuples that differ in all fields.
  case fiveTuples = "five-tuples"
  /// The same addresses, different ports.
  case ports
  /// Prefixes of mixed lengths.
  case prefixes
  case portRanges = "port ranges"
  case interfaces
  case orBlocks = "or-blocks"
  case negations
  case masks
  /// After ClassBench (Taylor and Turner 2005): access lists, firewalls, IP chains.
  case accessList = "ACL", firewall = "FW", chains = "IPC"
  case mixed

  /// The text of a rule, and an IPv4 packet that it matches.
  func rule(_ number: Int, _ random: inout Numbers) -> (text: String, packet: BenchPacket) {
    var packet = BenchPacket(&random)
    let (source, destination) = (packet.source, packet.destination)
    let (from, to) = (text(source), text(destination))
    switch self {
    case .fiveTuples:
      return ("udp from \(from) \(packet.sourcePort) to \(to) \(packet.destinationPort)", packet)
    case .ports:
      (packet.source, packet.destination) = (0x0a01_0203, 0x0a04_0506)
      packet.sourcePort = UInt16(1 + number % 250)
      packet.destinationPort = UInt16(1 + number / 250 % 32_000)
      return ("udp from 10.1.2.3 \(packet.sourcePort) to 10.4.5.6 \(packet.destinationPort)", packet)
    case .prefixes:
      return ("ip from \(from)/\(12 + random.next(21)) to \(to)/\(16 + random.next(17))", packet)
    case .portRanges:
      let (low, high) = (1 + random.next(16_000), 16_000 + random.next(16_000))
      packet.destinationPort = UInt16((low + high) / 2)
      return ("udp from \(from)/24 to any \(low)-\(high)", packet)
    case .interfaces:
      return ("udp from \(from) to any recv \(["lo", "em0", "em1", "em2"][number % 4]) via *", packet)
    case .orBlocks:
      return (
        "{ udp or tcp } from { \(from) or 10.0.0.1 } to any { dst-port \(packet.destinationPort) or src-ip \(from) }",
        packet
      )
    case .negations:
      return ("not tcp from not 192.0.2.0/24 to not 172.16.\(number >> 8 & 255).\(number & 255)", packet)
    case .masks:
      return ("udp from \(text(source & 0xff00_ffff)):255.0.255.255 to any", packet)
    case .accessList:
      let length = [32, 32, 32, 24, 28][number % 5]
      return (
        "udp from \(number % 3 == 0 ? "any" : "\(from)/\(8 * (1 + random.next(4)))") to \(to)/\(length) \(packet.destinationPort)",
        packet
      )
    case .firewall:
      let port = number % 4 == 0 ? "" : " \(packet.destinationPort)"
      let source = number % 2 == 0 ? "any" : "\(from)/\(16 + random.next(17))"
      let target = number % 2 == 1 && number % 3 == 0 ? "any" : "\(to)/\(20 + random.next(13))"
      return ("udp from \(source) to \(target)\(port)", packet)
    case .chains:
      // 64 networks talk to 64 others.
      packet.source = 0x0a00_0000 | UInt32(number % 64) << 16 | packet.source & 0xffff
      packet.destination = 0x0b00_0000 | UInt32(number / 64 % 64) << 16 | packet.destination & 0xffff
      let port = UInt16(1 + number / 4096)
      packet.destinationPort = port
      return (
        "udp from \(text(packet.source & 0xffff_0000))/16 to \(text(packet.destination & 0xffff_0000))/16 \(port)",
        packet
      )
    case .mixed:
      let kinds: [RuleKind] = [
        .fiveTuples, .prefixes, .portRanges, .interfaces, .orBlocks, .accessList, .firewall, .chains,
      ]
      return kinds[number % kinds.count].rule(number, &random)
    }
  }

  private func text(_ address: UInt32) -> String {
    "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
  }
}

/// A UDP datagram over IPv4.
struct BenchPacket {
  var source: UInt32
  var destination: UInt32
  var sourcePort: UInt16
  var destinationPort: UInt16

  /// From 10.0.0.0/8 to 11.0.0.0/8, ports below 32 000.
  init(_ random: inout Numbers) {
    source = 0x0a00_0000 | random.next(1 << 24)
    destination = 0x0b00_0000 | random.next(1 << 24)
    sourcePort = UInt16(1 + random.next(31_000))
    destinationPort = UInt16(1 + random.next(31_000))
  }

  /// What no rule is for.
  static func background(_ random: inout Numbers) -> BenchPacket {
    var packet = BenchPacket(&random)
    packet.source = 0xc000_0200 | random.next(256)
    packet.destination = 0xcb00_0000 | random.next(1 << 24)
    packet.sourcePort = UInt16(32_768 + random.next(32_000))
    packet.destinationPort = UInt16(32_768 + random.next(32_000))
    return packet
  }

  /// With an Ethernet header and a right header checksum.
  var frame: [UInt8] {
    var packet: [UInt8] = [0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0, 0]
    for address in [source, destination] {
      for shift: UInt32 in [24, 16, 8, 0] { packet.append(UInt8(truncatingIfNeeded: address >> shift)) }
    }
    let checksum = Checksum.of(packet.span.bytes)
    (packet[10], packet[11]) = (UInt8(checksum >> 8), UInt8(checksum & 255))
    for port in [sourcePort, destinationPort] { packet += [UInt8(port >> 8), UInt8(port & 255)] }
    packet += [0, 40, 0, 0] + [UInt8](repeating: 0, count: 32)
    return [UInt8](repeating: 0, count: 12) + [8, 0] + packet
  }
}

/// The same numbers in every run (a linear congruential generator, Knuth's MMIX).
struct Numbers {
  private var state: UInt64 = 1

  mutating func next(_ bound: UInt32) -> UInt32 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt32(truncatingIfNeeded: state >> 33) % bound
  }
}

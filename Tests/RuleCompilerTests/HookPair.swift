import BPF
import DivertWire
import Firewall
import Kernel
import Packets

@testable import RuleCompiler

/// Both hook programs of a rule set, loaded, with some divert ports bound to loopback as their link.
struct HookPair: ~Copyable {
  static let secret: UInt64 = 0x0123_4567_89ab_cdef
  let maps: HookMaps
  let incoming: Program
  let outgoing: Program

  enum Outcome: Equatable {
    case allow
    /// Dropped, by a rule or since nobody has bound the port.
    case gone
    case diverted(port: UInt16, tag: UInt16)
    case upcall(at: UInt16)
  }

  init(
    _ ruleSet: RuleSet, host: HostView, bound: Set<UInt16> = [2000, 2001, 2002, 2003],
    passing: Set<UInt16> = [], waitsForFragments: Bool = false, linkHeaderLength: Int = 14,
    ruleCapacity: Int = 0
  ) throws {
    var maps = try HookMaps(ruleCapacity: max(ruleCapacity, ruleSet.slotCount))
    let image = RuleImage(ruleSet: ruleSet, host: host)
    let size = try ImageSize(holding: image, atLeast: maps.imageSize)
    if size > maps.imageSize { (maps.images, maps.imageSize) = (try size.makeMap(), size) }
    var environment = HookEnvironment(
      direction: .incoming, linkHeaderLength: linkHeaderLength, secret: Self.secret, upcallInterface: 1)
    environment.waitsForFragments = waitsForFragments
    let incoming = try Program("test_in", RuleHook.compile(environment: environment, maps: maps))
    environment.direction = .outgoing
    let outgoing = try Program("test_out", RuleHook.compile(environment: environment, maps: maps))
    try Self.enforce(ruleSet, host: host, bound: bound, passing: passing, maps)
    self.maps = maps
    self.incoming = incoming
    self.outgoing = outgoing
  }

  /// Other rules for the programs that there are; counters stay as they are.
  func enforce(
    _ ruleSet: RuleSet, host: HostView, bound: Set<UInt16> = [], passing: Set<UInt16> = []
  ) throws {
    try Self.enforce(ruleSet, host: host, bound: bound, passing: passing, maps)
  }

  private static func enforce(
    _ ruleSet: RuleSet, host: HostView, bound: Set<UInt16>, passing: Set<UInt16>, _ maps: HookMaps
  ) throws {
    for (address, _) in maps.local4.entries(of: UInt32.self) { maps.local4.delete(address) }
    for (address, _) in maps.local6.entries(of: InlineArray<2, UInt64>.self) { maps.local6.delete(address) }
    for interface in host.interfaces {
      for address in interface.addresses4 {
        try maps.local4.update(address.rawValue.bigEndian, interface.index)
      }
      for address in interface.addresses6 {
        try maps.local6.update(
          [address.high.bigEndian, address.low.bigEndian] as InlineArray<2, UInt64>, interface.index)
      }
    }
    for port in ports.union(bound).union(passing) {
      let options: HookPortOptions = passing.contains(port) ? .passing : []
      try maps.ports.update(UInt32(port), HookPort(link: bound.contains(port) ? 1 : 0, options: options))
    }
    try LoadedImage(RuleImage(ruleSet: ruleSet, host: host), size: maps.imageSize).enforce(maps)
  }

  /// Those that random rules name.
  static let ports: Set<UInt16> = [2000, 2001, 2002, 2003]

  /// What a rule has counted, on all CPUs together.
  func counter(slot: Int) -> (packets: UInt64, bytes: UInt64) {
    maps.counters.words(at: UInt32(slot)).reduce(into: (0, 0)) { sum, words in
      sum.0 += words[0]
      sum.1 += words[1]
    }
  }

  func count(of event: HookEvent) -> UInt64 {
    maps.events.words(at: event.rawValue).reduce(0) { $0 + $1[0] }
  }

  /// By bound port: what `divert` has given to it.
  private var diverted: [UInt16: UInt64] {
    Self.ports.reduce(into: [:]) { counts, port in
      let bytes = maps.ports.lookup(UInt32(port)) ?? []
      counts[port] = bytes[HookPort.Offset.diverted...].prefix(8).reversed().reduce(0) {
        $0 << 8 | UInt64($1)
      }
    }
  }

  /// - Parameter interface: For an outgoing packet, where it was received; 0: it was not.
  func judge(
    _ packet: [UInt8], _ direction: Direction, after tag: UInt16, receivedOn interface: UInt32 = 0,
    secret: UInt64 = Self.secret
  ) throws -> Outcome {
    let packet = withHeaderChecksum(packet)
    let etherType: [UInt8] = (packet.first ?? 0) >> 4 == 6 ? [0x86, 0xdd] : [0x08, 0x00]
    var frame = [UInt8](repeating: 0, count: 12) + etherType + packet
    // The kernel refuses test frames shorter than an IP header.
    let least = 14 + (etherType[0] == 0x86 ? 40 : 20)
    if frame.count < least { frame += [UInt8](repeating: 0, count: least - frame.count) }
    var context = [UInt8](repeating: 0, count: 192)
    func store(_ value: UInt32, at offset: Int) {
      for byte in 0..<4 { context[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte))) }
    }
    if tag != 0 {
      store(UInt32(truncatingIfNeeded: secret), at: Context.word(0))
      store(UInt32(truncatingIfNeeded: secret >> 32), at: Context.word(1))
      store(UInt32(tag), at: Context.word(2))
      store(direction == .incoming ? 1 : interface, at: Context.word(3))
    } else if direction == .outgoing {
      store(interface, at: Context.ingressInterface)
    }
    store(1, at: Context.interface)
    let before = diverted
    let run: (result: UInt32, frame: [UInt8], context: [UInt8])
    switch direction {
    case .incoming: run = try incoming.testRun(frame: frame, context: context)
    case .outgoing: run = try outgoing.testRun(frame: frame, context: context)
    }
    switch run.result {
    case UInt32(bitPattern: Answer.next): return .allow
    case UInt32(Answer.drop): return .gone
    case 7:
      let result = run.frame
      guard let header = FrameHeader(parsing: result.span.bytes) else { return .gone }
      if header.operation == .upcall { return .upcall(at: header.tag) }
      let after = diverted
      guard let port = Self.ports.first(where: { before[$0] != after[$0] }) else {
        throw SystemError("find the port that was diverted to", code: 22)
      }
      return .diverted(port: port, tag: header.tag)
    default: throw SystemError("understand the hook's answer \(run.result)", code: 22)
    }
  }
}

/// A packet that came in with a wrong one is dropped before any rule.
private func withHeaderChecksum(_ packet: [UInt8]) -> [UInt8] {
  guard packet.count >= 20, packet[0] >> 4 == 4 else { return packet }
  let headerLength = Int(packet[0] & 15) * 4
  guard headerLength >= 20, headerLength <= packet.count else { return packet }
  var packet = packet
  (packet[10], packet[11]) = (0, 0)
  let header = Array(packet.prefix(headerLength))
  let checksum = Checksum.of(header.span.bytes)
  (packet[10], packet[11]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
  return packet
}

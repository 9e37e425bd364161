import BPF
import DivertWire

/// The routes are asked for a packet that has no path, or another one than it had.
extension LinkHook {
  /// `struct bpf_fib_lookup` for the packet in `Frame.wanted`.
  mutating func prepareLookUp() {
    for offset in stride(from: 0, to: 64, by: 8) {
      assembler.store(.doubleword, value: 0, to: .r10, Frame.route + offset)
    }
    let (version6, done) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.byte, .r1, from: .r10, Frame.wanted + PathEntry.Path.version)
    assembler.jump(if: .r1, .equal, 6, to: version6)
    assembler.store(.byte, value: Self.version4Family, to: .r10, Route.family)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 1)
    assembler.store(.byte, .r1, to: .r10, Route.typeOfService)
    for (from, to) in [(12, Route.source), (16, Route.destination)] {
      assembler.load(.word, .r1, from: .r10, Frame.packet + from)
      assembler.store(.word, .r1, to: .r10, to)
    }
    assembler.load(.halfword, .r1, from: .r10, Frame.packet + 2)
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.jump(to: done)

    assembler.place(version6)
    assembler.store(.byte, value: Self.version6Family, to: .r10, Route.family)
    assembler.load(.word, .r1, from: .r10, Frame.packet)
    assembler.calculate(.and, .r1, UInt32(0x0fff_ffff).bigEndian)
    assembler.store(.word, .r1, to: .r10, Route.typeOfService)
    for word in 0..<8 {
      assembler.load(.word, .r1, from: .r10, Frame.packet + 8 + word * 4)
      assembler.store(.word, .r1, to: .r10, Route.source + word * 4)
    }
    assembler.load(.halfword, .r1, from: .r10, Frame.packet + 4)
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.calculate(.add, .r1, 40)
    assembler.place(done)
    assembler.store(.halfword, .r1, to: .r10, Route.totalLength)
    let ports = Frame.wanted + PathEntry.Path.ports
    assembler.load(.byte, .r1, from: .r10, Frame.wanted + PathEntry.Path.transport)
    assembler.store(.byte, .r1, to: .r10, Route.transport)
    for (from, to) in [(2, Route.sourcePort), (0, Route.destinationPort)] {
      assembler.load(.halfword, .r1, from: .r10, ports + from)
      assembler.swapBigEndian(.r1, bits: 16)
      assembler.store(.halfword, .r1, to: .r10, to)
    }
    assembler.load(.word, .r1, from: .r6, Context.mark)
    assembler.store(.word, .r1, to: .r10, Route.mark)
  }

  /// r0 = what the routes say: as of a packet that came in by the interface that received it, or of one of this host's.
  mutating func askForPacket() {
    let (own, answered) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r6, Context.word(3))
    assembler.jump(if: .r1, .equal, 0, to: own)
    assembler.store(.word, .r1, to: .r10, Route.interface)
    callLookUp()
    assembler.jump(if: .r0, .equal, Route.forwardingDisabled, to: own)
    assembler.jump(if: .r0, .lessOrEqual, UInt32(Int32.max), to: answered)
    assembler.place(own)
    // The route look-up fails unless forwarding is on for the interface it is asked for; for lo it is, and the
    // look-up then is one as of local output.
    assembler.store(.word, value: Self.loopback, to: .r10, Route.interface)
    callLookUp()
    assembler.place(answered)
  }

  private mutating func callLookUp() {
    assembler.move(.r1, .r6)
    assembler.move(.r2, .r10)
    assembler.calculate64(.add, .r2, Int32(Frame.route))
    assembler.call(askRoutes)
  }

  /// Code to call: r1 the context, r2 the address of a `struct bpf_fib_lookup`. r0 = the answer.
  mutating func routeLookUp() {
    let (lookUp, unmarked, answered) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    let route = { (field: Int) in field - Frame.route }
    assembler.place(askRoutes)
    assembler.move(.r6, .r1)
    assembler.move(.r7, .r2)
    assembler.move(.r9, Route.skipNeighbour)
    assembler.load(.byte, .r5, from: .r7, route(Route.family))
    assembler.jump(if: .r5, .notEqual, Self.version4Family, to: lookUp)
    assembler.load(.word, .r5, from: .r7, route(Route.source))
    assembler.jump(if: .r5, .notEqual, 0, to: lookUp)
    assembler.move(.r9, Route.skipNeighbour | Route.findSource)
    assembler.place(lookUp)
    assembler.load(.word, .r5, from: .r7, route(Route.mark))
    assembler.jump(if: .r5, .equal, 0, to: unmarked)
    assembler.move(.r4, .r9)
    assembler.calculate(.or, .r4, UInt32(Route.byMark))
    callKernel()
    assembler.jump(if: .r0, .lessOrEqual, UInt32(Int32.max), to: answered)
    // EINVAL: this kernel knows no such flag.
    assembler.place(unmarked)
    assembler.move(.r4, .r9)
    callKernel()
    assembler.place(answered)
    assembler.exit()
  }

  private mutating func callKernel() {
    assembler.move(.r1, .r6)
    assembler.move(.r2, .r7)
    assembler.move(.r3, 64)
    assembler.call(.routeLookup)
  }
}

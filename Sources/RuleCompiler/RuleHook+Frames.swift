import BPF
import DivertWire

/// Which frames are this interface's IP traffic, where the EtherType alone does not say it.
extension RuleHook {
  /// Tags of 802.1Q and 802.1ad that are taken off a frame; one with more is dropped.
  private static var tagLimit: Int { 4 }
  private static var tagTypes: [UInt16] { [0x8100, 0x88a8] }

  /// A tag without a VLAN (identifier 0) only has a priority; Linux delivers the packet as if there were none, however
  /// many there are (`check_vlan_id` in net/core/dev.c), unless a VLAN device has that identifier. So it is judged, and
  /// goes on, without them. A tag with a VLAN belongs to the traffic of that VLAN's device, which is judged there, or to
  /// no device.
  ///
  /// The kernel keeps a frame's outer tag beside the packet (`skb_vlan_untag`), and gives the next one when that is
  /// taken away.
  mutating func takePriorityTagsOff(_ maps: borrowing HookMaps) {
    let untagged = assembler.makeLabel()
    for _ in 0..<Self.tagLimit {
      let foreign = assembler.makeLabel()
      assembler.load(.word, .r1, from: .r6, Context.vlanPresent)
      assembler.jump(if: .r1, .equal, 0, to: untagged)
      assembler.load(.word, .r1, from: .r6, Context.vlanTag)
      assembler.jump(if: .r1, .anyBitSet, 0xfff, to: letGo)
      assembler.lookUp(maps.interfaces, key: Variable.receiveInterface)
      assembler.jump64(if: .r0, .equal, 0, to: foreign)
      assembler.load(.halfword, .r2, from: .r0, HookInterface.Offset.flags)
      assembler.load(.word, .r1, from: .r6, Context.vlanProtocol)
      for (type, flag) in zip(Self.tagTypes, [HookInterface.hasVLAN0, HookInterface.hasServiceVLAN0]) {
        let other = assembler.makeLabel()
        assembler.jump(if: .r1, .notEqual, UInt32(type.bigEndian), to: other)
        assembler.jump(if: .r2, .anyBitSet, UInt32(flag), to: letGo)
        assembler.place(other)
      }
      assembler.place(foreign)
      assembler.move(.r1, .r6)
      assembler.call(.vlanPop)
      assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    }
    assembler.load(.word, .r1, from: .r6, Context.vlanPresent)
    assembler.jump(if: .r1, .notEqual, 0, to: refuse)
    assembler.place(untagged)
  }

  /// A packet socket sends its tag as part of the frame. A priority tag in front of an IP packet is taken off to judge
  /// the packet, and put back in front of what is accepted (``putPriorityTagBack()``).
  mutating func takePriorityTagOff() {
    guard environment.linkHeaderLength != 0 else { return }
    let (tagged, taken, untagged) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r8, from: .r6, Context.networkProtocol)
    for type in Self.tagTypes { assembler.jump(if: .r8, .equal, UInt32(type.bigEndian), to: tagged) }
    assembler.jump(to: untagged)
    assembler.place(tagged)
    assembler.loadBytes(at: environment.linkHeaderLength, count: 4, to: Variable.transport)
    assembler.jump(if: .r0, .notEqual, 0, to: letGo)
    assembler.load(.halfword, .r9, from: .r7, Variable.transport)
    assembler.jump(if: .r9, .anyBitSet, UInt32(UInt16(0x0fff).bigEndian), to: letGo)
    assembler.load(.halfword, .r1, from: .r7, Variable.transport + 2)
    for type in [0x0800, 0x86dd] as [UInt16] {
      assembler.jump(if: .r1, .equal, UInt32(type.bigEndian), to: taken)
    }
    assembler.jump(to: letGo)
    assembler.place(taken)
    assembler.store(.halfword, .r8, to: .r7, Variable.priorityTag)
    assembler.store(.halfword, .r9, to: .r7, Variable.priorityTag + 2)
    assembler.move(.r1, .r6)
    assembler.call(.vlanPop)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.place(untagged)
  }

  /// Changes r0...r5.
  mutating func putPriorityTagBack() {
    guard isOutgoing, environment.linkHeaderLength != 0 else { return }
    let untagged = assembler.makeLabel()
    assembler.load(.halfword, .r2, from: .r7, Variable.priorityTag)
    assembler.jump(if: .r2, .equal, 0, to: untagged)
    assembler.load(.halfword, .r3, from: .r7, Variable.priorityTag + 2)
    assembler.swapBigEndian(.r3, bits: 16)
    assembler.move(.r1, .r6)
    assembler.call(.vlanPush)
    assembler.place(untagged)
  }

  /// Of what a member of a bridge, bond or team receives, IP gets the packets on the member itself that come to a
  /// link-local group (01:80:c2:00:00:00 to 0f, IEEE 802.1Q §8.6.3) which is not passed on; all else is judged on the
  /// master. What a member sends was judged there, too.
  mutating func letGoWhatIsTheMasters(_ maps: borrowing HookMaps) {
    guard !isOutgoing else { return assembler.jump(to: letGo) }
    assembler.loadBytes(at: 0, count: 6, to: Variable.linkHeader)
    assembler.jump(if: .r0, .notEqual, 0, to: letGo)
    assembler.load(.word, .r1, from: .r7, Variable.linkHeader)
    assembler.jump(if: .r1, .notEqual, UInt32(0x0180_c200).bigEndian, to: letGo)
    assembler.load(.byte, .r1, from: .r7, Variable.linkHeader + 4)
    assembler.jump(if: .r1, .notEqual, 0, to: letGo)
    assembler.load(.byte, .r8, from: .r7, Variable.linkHeader + 5)
    assembler.jump(if: .r8, .greater, 15, to: letGo)
    assembler.lookUp(maps.interfaces, key: Variable.receiveInterface)
    assembler.jump64(if: .r0, .equal, 0, to: letGo)
    assembler.load(.halfword, .r1, from: .r0, HookInterface.Offset.groups)
    assembler.calculate(.shiftRight, .r1, .r8)
    assembler.calculate(.and, .r1, 1)
    assembler.jump(if: .r1, .equal, 0, to: letGo)
  }

  /// What a macvlan device of this host sends leaves by its parent, with the child's source address; it was judged on the
  /// child.
  mutating func letGoWhatChildrenSend(_ maps: borrowing HookMaps) {
    let own = assembler.makeLabel()
    assembler.loadBytes(at: 6, count: 6, to: Variable.linkHeader)
    assembler.jump(if: .r0, .notEqual, 0, to: own)
    assembler.store(.halfword, value: 0, to: .r7, Variable.linkHeader + 6)
    assembler.lookUp(maps.children, key: Variable.linkHeader)
    assembler.jump64(if: .r0, .notEqual, 0, to: letGo)
    assembler.place(own)
  }
}

//! The samples of one component, and where its blocks lie in them.

use super::header::{Component, Header};
use super::idct;

/// One component while it is decoded.
pub(super) struct Plane {
    pub(super) component: Component,
    /// Samples of a block, across and down: 8 where nothing is shrunk.
    pub(super) block: (usize, usize),
    /// Blocks that hold a part of the picture, across and down.
    pub(super) blocks: (usize, usize),
    /// Samples from one row to the next: whole MCUs.
    pub(super) stride: usize,
    /// Blocks down, in whole MCUs.
    pub(super) rows: usize,
    /// Samples of the picture itself.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row; grey where nothing was decoded.
    pub(super) samples: Vec<u8>,
}

/// How the picture is laid out in MCUs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// The most blocks that a component has in an MCU.
    pub(super) most: (usize, usize),
    /// MCUs across and down.
    pub(super) mcus: (usize, usize),
    /// Samples of a block of a component that has the most of them: 8 divided by how much the picture is shrunk.
    pub(super) side: usize,
}

impl Grid {
    /// The layout of a picture that is shrunk by 1, 2, 4 or 8.
    pub(super) fn new(header: &Header, shrink: usize) -> Self {
        let most = header.components.iter().fold((1, 1), |(x, y), part| (part.across.max(x), part.down.max(y)));
        let mcus = (header.width.div_ceil(8 * most.0), header.height.div_ceil(8 * most.1));
        Self { most, mcus, side: 8 / shrink }
    }

    /// How large the blocks of a component become. A component with half as many samples as the others keeps twice as many of
    /// them when the picture is shrunk, so that it need not be stretched afterwards.
    pub(super) fn block(&self, component: &Component) -> (usize, usize) {
        let side = |most: usize, own: usize| {
            let wanted = self.side * most / own;
            if wanted >= 8 { 8 } else { 1 << wanted.ilog2() }
        };
        (side(self.most.0, component.across), side(self.most.1, component.down))
    }

    /// The bytes of all samples.
    pub(super) fn memory(&self, components: &[Component]) -> u64 {
        let mcus = self.mcus.0 as u64 * self.mcus.1 as u64;
        let block = |component: &Component| {
            let (across, down) = self.block(component);
            (across * down * component.across * component.down) as u64
        };
        mcus * components.iter().map(block).sum::<u64>()
    }
}

impl Plane {
    /// A grey one.
    pub(super) fn new(component: Component, grid: &Grid, header: &Header) -> Self {
        let block = grid.block(&component);
        let samples = |full: usize, own: usize, most: usize, block: usize| (full * own * block).div_ceil(most * 8);
        let blocks = |full: usize, own: usize, most: usize| (full * own).div_ceil(most * 8);
        let (stride, rows) = (grid.mcus.0 * component.across * block.0, grid.mcus.1 * component.down);
        Self {
            component,
            block,
            blocks: (
                blocks(header.width, component.across, grid.most.0),
                blocks(header.height, component.down, grid.most.1),
            ),
            stride,
            rows,
            width: samples(header.width, component.across, grid.most.0, block.0),
            height: samples(header.height, component.down, grid.most.1, block.1),
            samples: vec![128; stride * rows * block.1],
        }
    }

    /// Where the block begins that has this column and row.
    #[inline(always)]
    pub(super) fn place(&self, column: usize, row: usize) -> usize {
        row * self.block.1 * self.stride + column * self.block.0
    }

    /// The last coefficient that matters.
    pub(super) fn last(&self) -> usize {
        idct::last(self.block.0.max(self.block.1))
    }
}

"""Loops written in plain torch: as the tutorials have it, and as fast as eager torch goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from speed import nets
from speed.cases import Case, Rows
from speed.clock import Clock, Epochs


def dataloader(case: Case, X: Rows, device: str) -> Epochs:
    model = nets.whole(case).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows = torch.from_numpy(X).reshape(-1, *nets.shape(case))
    loader = DataLoader(TensorDataset(rows), batch_size=case.batch, shuffle=True)
    criterion = nn.MSELoss()

    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        for _ in range(n + 1):
            total = 0.0
            for (batch,) in loader:
                x = batch.to(device)
                optimiser.zero_grad()
                loss = criterion(model(x), x)
                loss.backward()
                optimiser.step()
                total += loss.item()
            clock.tick()
        return clock.seconds()

    return epochs


def resident(case: Case, X: Rows, device: str) -> Epochs:
    model = nets.whole(case).to(device)

    def loss(x: Tensor) -> Tensor:
        return nn.functional.mse_loss(model(x), x)

    return _resident(case, X, device, model, loss)


def jacrev(case: Case, X: Rows, device: str) -> Epochs:
    """‖∂f/∂x‖² of each row by vmap(jacrev), as a reader of torch's documentation would write it."""
    encoder, decoder = nets.halves(case)
    if len(case.widths) > 2:
        encoder = nn.Sequential(*list(encoder)[:-1])  # deeper encoders have a linear code
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: encoder(row[None])[0]))

    def loss(x: Tensor) -> Tensor:
        error = (decoder(encoder(x)) - x).square().sum(dim=1) / 2
        return (error + 0.1 * jacobian(x).square().sum(dim=(1, 2))).mean()

    return _resident(case, X, device, nn.ModuleList([encoder, decoder]), loss)


def _resident(case: Case, X: Rows, device: str, model: nn.Module, loss: Callable[[Tensor], Tensor]) -> Epochs:
    model.to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    rows = torch.from_numpy(X).to(device).reshape(-1, *nets.shape(case))

    def cast() -> AbstractContextManager[object]:
        return torch.autocast(device, torch.bfloat16) if case.dtype == "bfloat16" else nullcontext()

    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        for _ in range(n + 1):
            for index in torch.randperm(case.rows, device=device).split(case.batch):
                x = rows[index]
                optimiser.zero_grad(set_to_none=True)
                with cast():
                    value = loss(x)
                value.backward()
                optimiser.step()
            clock.tick()
        return clock.seconds()

    return epochs


def forward(case: Case, X: Rows, device: str) -> Epochs:
    encoder = nets.halves(case)[0].to(device)

    @torch.inference_mode()
    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        for _ in range(n + 1):
            encoder(torch.from_numpy(X).to(device)).cpu().numpy()
            clock.tick()
        return clock.seconds()

    return epochs
